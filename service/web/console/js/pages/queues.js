// The queues: what waits in each, for how long, and the way in.

import { read } from "../api.js";
import { fill, h, link, said } from "../dom.js";
import { count, duration } from "../format.js";
import { ORDERS } from "../queues/form.js";
import { address, heading, page } from "../router.js";
import { is } from "../session.js";

const EVERY_MS = 10_000;

page(/^$/, async (main, _, signal) => {
  const list = h("ul", { class: "plain cards" });
  let shown = null;
  const show = async () => {
    const { items } = await read("/v1/queues", {}, signal);
    const names = JSON.stringify(items.map(({ name, title }) => [name, title]));
    // Where only numbers are others nobody loses his place among the links.
    if (names !== shown) fill(list, items.map(card));
    else list.querySelectorAll("dl").forEach((old, index) => old.replaceWith(facts(items[index])));
    shown = names;
  };
  await show();
  const add =
    is("policy", "admin") && link(address("queues/new"), { class: "button" }, "New queue");
  fill(main, heading("Queues", add), list);
  // Counts are live; nobody is told aloud of each change.
  const timer = setInterval(() => show().catch(() => undefined), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
});

/** Spell how many wait; counts stop at a bound. */
export function pending(queue) {
  return `${count(queue.pending)}${queue.more ? "+" : ""}`;
}

function facts(queue) {
  const late = queue.sla_s !== null && queue.oldest_s > queue.sla_s;
  const pairs = [
    ["Waiting", pending(queue)],
    ["Oldest", [duration(queue.oldest_s), late && [" ", h("span", { class: "mark bad" }, "late")]]],
    ["To be decided within", queue.sla_s ? duration(queue.sla_s) : null],
    ["Order", Object.fromEntries(ORDERS)[queue.order]],
  ];
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value)
      .map(([term, value]) => [h("div", {}, h("dt", {}, term), h("dd", {}, value))]),
  );
}

function card(queue) {
  return h(
    "li",
    { class: "panel stack" },
    h("h2", {}, link(address(`queue/${queue.name}`), { dir: "auto", class: "wrap" }, queue.title)),
    facts(queue),
    h(
      "div",
      { class: "row" },
      is("moderator") && [
        link(address("case", { queue: queue.name }), { class: "button main" }, "Start reviewing"),
        named("List", address(`queue/${queue.name}`), queue),
      ],
      is("policy", "admin") && named("Settings", address(`queue/${queue.name}/settings`), queue),
    ),
  );
}

/** Make a button of a card; to whoever only hears it, it says of which queue. */
function named(text, path, queue) {
  const whose = [h("span", { class: "unseen" }, " of "), said(queue.title, { class: "unseen" })];
  return link(path, { class: "button" }, text, whose);
}
