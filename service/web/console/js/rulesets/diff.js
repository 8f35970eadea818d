// What differs between two versions, as people read it.

import { h, said } from "../dom.js";
import { words } from "../format.js";

const TAGS = { removed: "del", added: "ins", same: "span" };

/** Show a diff. */
export function shownDiff(diff) {
  if (diff.identical) return h("p", { class: "panel" }, "Nothing changed.");
  return h(
    "div",
    { class: "stack diff" },
    part("The ruleset", changes(diff.changes)),
    diff.rules_added.map((rule) => part(["Added: ", said(rule.title)], ruleFacts(rule))),
    diff.rules_removed.map((rule) => part(["Removed: ", said(rule.title)], ruleFacts(rule))),
    diff.rules_changed.map((rule) => part(["Changed: ", said(rule.title)], changes(rule.changes))),
    diff.rules_moved && h("p", { class: "panel" }, "Rules stand in another order."),
  );
}

function part(title, content) {
  return (
    content.length > 0 &&
    h("section", { class: "panel stack tight" }, h("h2", { class: "wrap" }, title), content)
  );
}

function ruleFacts(rule) {
  return [
    h(
      "p",
      { class: "quiet wrap" },
      said(rule.id),
      ` · ${words(rule.severity)} · ${words(rule.edit)} · ${words(rule.verdict)}${rule.enabled ? "" : " · off"}`,
    ),
  ];
}

function changes({ values, words: texts, entries }) {
  return [
    ...values.map((one) =>
      h(
        "p",
        { class: "wrap" },
        h("strong", {}, one.key),
        ": ",
        h("del", { dir: "auto" }, shown(one.old)),
        " → ",
        h("ins", { dir: "auto" }, shown(one.new)),
        one.move && h("span", { class: `mark ${one.move === "stricter" ? "" : "warn"}` }, one.move),
      ),
    ),
    ...texts.map((one) =>
      h("p", { class: "wrap", dir: "auto" }, h("strong", {}, one.key), ": ", pieces(one.pieces)),
    ),
    ...entries.map((one) => h("div", {}, h("strong", {}, one.key), h("ul", {}, listed(one)))),
  ];
}

function listed({ removed, added, reworded, moved }) {
  return [
    removed.map((text) => h("li", { class: "wrap" }, h("del", { dir: "auto" }, text))),
    added.map((text) => h("li", { class: "wrap" }, h("ins", { dir: "auto" }, text))),
    reworded.map((parts) => h("li", { class: "wrap", dir: "auto" }, pieces(parts))),
    moved && h("li", {}, "Some stand in another order."),
  ];
}

function pieces(parts) {
  return parts.map(({ kind, text }) => h(TAGS[kind], {}, text));
}

function shown(value) {
  return value === null ? "nothing" : String(value);
}
