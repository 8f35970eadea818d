// Golden examples: the runs of a version, what a run costs before it is paid, and what came of it.

import { call, read } from "../api.js";
import { form, open } from "../dialogs.js";
import { fill, h, said } from "../dom.js";
import { count, moment, money, words } from "../format.js";
import { failed } from "../notices.js";
import { is } from "../session.js";

const POLL_MS = 1_000;
const RESULTS = { passed: "good", failed: "bad", running: "", not_assessed: "warn" };

/** Show the runs of a version, the newest one whole. */
export async function examples(panel, one) {
  const { items } = await read(`${one.path}/checks`, { limit: 20 }, one.signal);
  const start =
    is("policy") &&
    h(
      "button",
      { type: "button", onclick: () => ask(panel, one).catch(failed) },
      "Run the examples…",
    );
  const defined = one.version.content.examples?.length ?? 0;
  const newest = items[0] && (await read(`${one.path}/checks/${items[0].id}`, {}, one.signal));
  fill(
    panel,
    h(
      "div",
      { class: "row apart" },
      h("p", {}, `${count(defined)} examples in this version.`),
      defined > 0 && start,
    ),
    newest
      ? run(newest)
      : h(
          "p",
          { class: "panel" },
          defined
            ? "They were not run yet."
            : "A ruleset can name pictures with what must be found in them; publishing then waits for them.",
        ),
    items.length > 1 &&
      h(
        "details",
        {},
        h("summary", {}, "Earlier runs"),
        h(
          "ul",
          {},
          items
            .slice(1)
            .map((check) =>
              h(
                "li",
                {},
                result(check.result),
                " ",
                moment(check.started_at),
                `, ${money(check.cost_microusd)}`,
              ),
            ),
        ),
      ),
  );
  if (newest?.result === "running" && !one.signal.aborted) {
    setTimeout(() => panel.isConnected && examples(panel, one).catch(failed), POLL_MS);
  }
}

async function ask(panel, one) {
  const { data: quote } = await call("POST", `${one.path}/check`, { body: {} });
  const dialog = open("Run the golden examples", (close) =>
    form(
      [
        h(
          "p",
          {},
          `${count(quote.calls)} calls, at most ${money(quote.microusd)}. The price is never passed.`,
        ),
      ],
      async () => {
        await call("POST", `${one.path}/check`, {
          body: { confirm: { calls: quote.calls, microusd: quote.microusd } },
        });
        dialog.close();
        await examples(panel, one);
      },
      [
        h("button", { class: "main" }, `Run for ${money(quote.microusd)}`),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
}

function run(check) {
  const sides = ({ rules, outcome }) => [
    words(outcome),
    rules.length ? `: ${rules.join(", ")}` : "",
  ];
  const rows = check.by_example.map((one) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row", class: "wrap" },
        said(one.image),
        one.note && h("div", { class: "quiet small" }, said(one.note)),
      ),
      h("td", {}, result(one.status)),
      h("td", { class: "wrap" }, sides(one.expected)),
      h("td", { class: "wrap" }, sides(one.got)),
    ),
  );
  const { examples: counts } = check;
  return h(
    "section",
    { class: "stack" },
    h(
      "div",
      { class: "row" },
      result(check.result),
      `${counts.passed} of ${counts.total} passed, ${counts.failed} failed, ${counts.not_assessed} not assessed`,
      h("span", { class: "quiet" }, moment(check.started_at), ` · ${money(check.cost_microusd)}`),
    ),
    h(
      "div",
      { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Examples" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Picture", "Result", "Expected", "Got"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
}

function result(name) {
  return h("span", { class: `mark ${RESULTS[name] ?? ""}` }, words(name));
}
