// Cases in lists and grids: the description first, the picture small and covered.

import { h, link, said } from "./dom.js";
import { mark, moment, severity, words, worst } from "./format.js";
import { address, become, query, render } from "./router.js";
import { thumb } from "./thumb.js";

/** Tell whether a queue's rule covers the edited picture of this severity until it is wanted. */
export function covered(blur, level) {
  if (blur === "none") return false;
  return typeof blur === "object" && blur !== null ? level >= blur.severity : true;
}

/** Show uploads as a list or a grid; `extra` adds to one, `within` is the query of its address. */
export function shown(uploads, { view, blur, within, extra }) {
  const one = view === "grid" ? tile : line;
  return h(
    "ul",
    { class: `plain cases ${view === "grid" ? "grid" : "list"}` },
    uploads.map((upload) =>
      h(
        "li",
        { class: "panel" },
        one(upload, blur, address(`case/${upload.id}`, within), extra?.(upload)),
      ),
    ),
  );
}

/** Buttons that change how cases are shown, kept in the address. */
export function views(current, offered) {
  const choose = (view) => {
    const url = new URL(location.href);
    url.searchParams.set("view", view);
    become(url.pathname + url.search);
    render();
  };
  return h(
    "div",
    { class: "row", role: "group", "aria-label": "View" },
    offered.map((view) =>
      h(
        "button",
        { type: "button", "aria-pressed": String(view === current), onclick: () => choose(view) },
        words(view),
      ),
    ),
  );
}

/** Tell which view the address asks for. */
export function view(offered) {
  const asked = query().view;
  return offered.includes(asked) ? asked : offered[0];
}

/** Say what was found, or why there is nothing. */
export function summary(upload) {
  return (
    upload.description?.summary ||
    (upload.state === "failed" ? `No description: ${words(upload.outcome)}.` : "No summary.")
  );
}

function line(upload, blur, where, extra) {
  return h(
    "article",
    { class: "line" },
    thumb(upload, covered(blur, worst(upload.description))),
    h(
      "div",
      { class: "stack tight" },
      h("h2", { class: "wrap case-name" }, link(where, { dir: "auto" }, summary(upload))),
      h("div", { class: "row" }, marks(upload)),
      h("p", { class: "quiet small wrap" }, facts(upload)),
      extra,
    ),
  );
}

function tile(upload, blur, where, extra) {
  return h(
    "article",
    { class: "tile stack tight" },
    thumb(upload, covered(blur, worst(upload.description))),
    h("div", { class: "row" }, severity(worst(upload.description)), mark(upload.verdict)),
    h("h2", { class: "wrap case-name" }, link(where, { dir: "auto" }, summary(upload))),
    extra,
  );
}

function marks(upload) {
  const rules = [...new Set((upload.description?.findings ?? []).map((finding) => finding.rule))];
  return [
    severity(worst(upload.description)),
    mark(upload.verdict),
    mark(upload.outcome),
    upload.decision && h("span", { class: "mark" }, `decided: ${words(upload.decision)}`),
    rules.map((rule) => h("span", { class: "mark" }, said(rule))),
  ];
}

function facts(upload) {
  return [
    said(upload.platform),
    upload.external_id && [" · ", said(upload.external_id)],
    " · ",
    `${upload.ruleset.name} ${upload.ruleset.version} · received `,
    moment(upload.received_at),
  ];
}
