// The queues: what waits in each, for how long, and the way in.

import { read } from "../api.js";
import { fill, h, link, said } from "../dom.js";
import { count, duration } from "../format.js";
import { address, heading, page } from "../router.js";
import { is } from "../session.js";

const EVERY_MS = 10_000;

page(/^$/, async (main, _, signal) => {
  const list = h("ul", { class: "plain cards" });
  const show = async () => {
    const { items } = await read("/v1/queues", {}, signal);
    fill(list, items.length ? items.map(card) : h("li", { class: "panel" }, "There is no queue."));
  };
  await show();
  fill(main, heading("Queues"), list);
  // Counts are live; nobody is told aloud of each change.
  const timer = setInterval(() => show().catch(() => undefined), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
});

/** Spell how many wait; counts stop at a bound. */
export function pending(queue) {
  return `${count(queue.pending)}${queue.more ? "+" : ""}`;
}

function card(queue) {
  const late = queue.sla_s !== null && queue.oldest_s > queue.sla_s;
  const facts = [
    ["Waiting", pending(queue)],
    ["Oldest", duration(queue.oldest_s)],
    ["To be decided within", queue.sla_s ? duration(queue.sla_s) : null],
    [
      "Order",
      { severity: "most severe first", oldest: "oldest first", newest: "newest first" }[
        queue.order
      ],
    ],
  ];
  return h(
    "li",
    { class: "panel stack" },
    h(
      "div",
      { class: "row apart" },
      h(
        "h2",
        {},
        link(address(`queue/${queue.name}`), { dir: "auto", class: "wrap" }, queue.title),
      ),
      late && h("span", { class: "mark bad" }, "late"),
    ),
    h(
      "dl",
      { class: "facts" },
      facts
        .filter(([, value]) => value)
        .map(([term, value]) => [h("div", {}, h("dt", {}, term), h("dd", {}, value))]),
    ),
    is("moderator") &&
      h(
        "div",
        { class: "row" },
        link(address("case", { queue: queue.name }), { class: "button main" }, "Start reviewing"),
        link(
          address(`queue/${queue.name}`),
          { class: "button" },
          "List",
          h("span", { class: "unseen" }, " of "),
          said(queue.title, { class: "unseen" }),
        ),
      ),
  );
}
