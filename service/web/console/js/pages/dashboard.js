// How reviewing goes: first of all, how much of it needed no look at an original.

import { read } from "../api.js";
import { bars, figureOf, ranks, stacks } from "../charts.js";
import { choice, field, fill, h } from "../dom.js";
import { count, DECISIONS, duration, money, share, words } from "../format.js";
import { address, go, heading, page, query } from "../router.js";
import { is } from "../session.js";
import { pending } from "./queues.js";

const DAY_MS = 86_400_000;
const SPANS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
];
const BESIDE = [
  ["without_reveal", "Without reveal"],
  ["in_bulk", "In bulk"],
];
const NONE = {
  ...{ allow: 0, allow_edited: 0, block: 0, escalate: 0 },
  ...{ without_reveal: 0, in_bulk: 0 },
};

page(/^dashboard$/, async (main, _, signal) => {
  const days = SPANS.some(([value]) => value === query().days) ? query().days : "30";
  const { from, to } = span(Number(days));
  const pick = choice(SPANS, days, {
    "aria-label": "Time",
    onchange: (event) => go(address("dashboard", { days: event.target.value })),
  });
  const body = h("div", { class: "dashboard" }, h("p", { class: "quiet" }, "Counting…"));
  fill(main, heading("Dashboard", h("div", { class: "narrow" }, field("Time", pick))), body);
  const asked = [
    read("/v1/reviews/summary", { from, to }, signal),
    read("/v1/reviews/days", { from, to }, signal),
    ...["day", "outcome", "rule"].map((by) =>
      read("/v1/records/summary", { received_from: from, received_to: to, by }, signal),
    ),
    read("/v1/queues", {}, signal),
    read("/v1/reviews/agreement", {}, signal),
    is("admin")
      ? read("/v1/costs", {}, signal)
      : Promise.reject(new Error("signed in without the role admin")),
  ];
  const [reviews, decided, day, outcome, rule, queues, agreement, costs] = (
    await Promise.allSettled(asked)
  ).map((one) => one.status === "fulfilled" && one.value);
  if (signal.aborted) return;
  fill(
    body,
    h("div", { class: "numbers" }, headline(reviews), pace(reviews), waiting(queues), spent(costs)),
    decided && decisions(decided.items, from, Number(days)),
    day && bars("Uploads by day", filledIn(day.items, from, Number(days)), count),
    costs && bars("Cost by day", spending(costs), money),
    outcome &&
      ranks(
        "Outcomes",
        outcome.items.map((one) => [words(one.key), one.count]),
        count,
      ),
    rule &&
      ranks(
        "Rules found",
        rule.items.slice(0, 12).map((one) => [one.key, one.count]),
        count,
      ),
    queues &&
      ranks(
        "Waiting by queue",
        queues.items.map((one) => [
          `${one.title}${one.oldest_s === null ? "" : `, the oldest for ${duration(one.oldest_s)}`}`,
          one.pending,
        ]),
        count,
      ),
    reviews && people(reviews),
    agreement && agreements(agreement),
  );
});

/** Whole UTC days up to and with today, since those are counted already. */
function span(days) {
  const to = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS);
  return { from: new Date(to - days * DAY_MS).toISOString(), to: to.toISOString() };
}

function spending({ items, from, to }) {
  const days = Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS);
  return filledIn(
    items.map((one) => ({ key: one.key, count: one.cost_microusd })),
    from,
    days,
  );
}

/** Give every day its number; days without any are not told by the service. */
function filledIn(items, from, days) {
  const known = new Map(items.map((one) => [one.key, one.count]));
  return each(from, days).map((day) => [day, known.get(day) ?? 0]);
}

function each(from, days) {
  return Array.from({ length: days }, (_, index) =>
    new Date(Date.parse(from) + index * DAY_MS).toISOString().slice(0, 10),
  );
}

function decisions(items, from, days) {
  const known = new Map(items.map((one) => [one.day, one]));
  const pairs = items.length ? each(from, days).map((day) => [day, known.get(day) ?? NONE]) : [];
  return stacks("Decisions by day", Object.entries(DECISIONS), BESIDE, pairs, count);
}

function headline(reviews) {
  if (!reviews) return null;
  const meaning = `${count(reviews.decided_without_reveal)} of ${count(reviews.decided)} decisions; the original stayed closed`;
  return figureOf(
    "Decided without reveal",
    share(reviews.decided_without_reveal, reviews.decided),
    meaning,
  );
}

function pace(reviews) {
  if (!reviews) return null;
  return figureOf(
    "Time for a case",
    duration(reviews.median_s),
    `median; ${count(reviews.undone)} undone`,
  );
}

function waiting(queues) {
  if (!queues) return null;
  const all = queues.items.find((one) => one.name === "held") ?? queues.items[0];
  return (
    all &&
    figureOf(
      "Waiting",
      pending(all),
      all.oldest_s === null ? "nobody has to wait" : `the oldest for ${duration(all.oldest_s)}`,
    )
  );
}

function spent(costs) {
  return (
    costs &&
    figureOf(
      "Cost this month",
      money(costs.month_to_date_microusd),
      `${money(costs.projection_microusd)} by its end, if it goes on so`,
    )
  );
}

function people(reviews) {
  const pairs = reviews.people.map((one) => [one.person?.name ?? "unnamed", one.decided]);
  return ranks("Decided by person", pairs, count);
}

function agreements({ items }) {
  const rows = items.map((one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "wrap" }, one.rule ?? "nothing found"),
      h("td", {}, `${one.ruleset} ${one.version}`),
      h("td", { class: "numeric" }, count(one.upheld)),
      h("td", { class: "numeric" }, count(one.overturned)),
      h("td", { class: "numeric" }, share(one.upheld, one.upheld + one.overturned)),
    ),
  );
  return h(
    "section",
    { class: "panel stack" },
    h("h2", {}, "Model and people agree"),
    rows.length
      ? h(
          "div",
          {
            class: "table-frame",
            tabindex: "0",
            role: "region",
            "aria-label": "Agreement by rule",
          },
          h(
            "table",
            {},
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ["Rule", "Version", "Upheld", "Overturned", "Agreement"].map((text, index) =>
                  h("th", { scope: "col", class: index > 1 ? "numeric" : null }, text),
                ),
              ),
            ),
            h("tbody", {}, rows),
          ),
        )
      : h("p", { class: "quiet" }, "Nothing was decided yet."),
  );
}
