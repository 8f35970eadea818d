// What was found, and by which rule: each finding beside the rule's text of the judged version.

import { read } from "../api.js";
import { fill, h, link, said } from "../dom.js";
import { mark, severity, words } from "../format.js";
import { address } from "../router.js";

const versions = new Map();

/** Give the content of a version; versions never change, so they are kept. */
export function version({ name, version: number }) {
  const path = `/v1/rulesets/${encodeURIComponent(name)}/versions/${number}`;
  if (!versions.has(path)) {
    const found = read(path);
    found.catch(() => versions.delete(path));
    versions.set(path, found);
  }
  return versions.get(path);
}

/**
 * List findings; pointing at one, by mouse or focus, draws its region in the viewer.
 * Gives {element, step}: `step` moves to the next finding, or the one before.
 */
export function findings(upload, viewer) {
  const found = upload.description?.findings ?? [];
  const items = found.map((finding, index) => item(upload, finding, index, viewer));
  const list = h("ol", { class: "plain findings" }, items);
  const step = (by) => {
    if (!items.length) return;
    const now = items.indexOf(document.activeElement?.closest(".findings > li"));
    const then =
      now < 0 ? (by > 0 ? 0 : items.length - 1) : (now + by + items.length) % items.length;
    items[then].querySelector(".finding").focus();
  };
  const element = h(
    "section",
    { class: "stack", "aria-label": "Findings" },
    h("h2", {}, `Findings (${found.length})`),
    found.length
      ? list
      : h(
          "p",
          { class: "quiet" },
          upload.description ? "Nothing was found." : "There is no description.",
        ),
  );
  return { element, step };
}

function item(upload, finding, index, viewer) {
  const name = said(finding.rule);
  const text = h("div", { class: "stack tight rule-text" });
  const point = () => viewer.point(index);
  const away = () => viewer.point(null);
  const main = h(
    "div",
    {
      class: "finding stack tight",
      tabindex: "0",
      role: "group",
      "aria-label": `Finding ${index + 1}: ${finding.rule}`,
      onmouseenter: point,
      onmouseleave: away,
      onfocus: point,
      onblur: away,
    },
    h("div", { class: "row" }, severity(finding.severity), h("strong", { class: "wrap" }, name)),
    h("p", { class: "wrap" }, said(finding.rationale)),
    h("p", { class: "quiet small" }, [
      `${Math.round(finding.confidence * 100)} % sure · ${words(finding.edit)}`,
      finding.box_2d ? "" : " · the whole picture",
    ]),
  );
  version(upload.ruleset).then(
    ({ content }) => {
      const rule = content.rules.find((one) => one.id === finding.rule);
      if (!rule) return;
      fill(name, rule.title);
      fill(text, ruleText(rule, upload.ruleset));
    },
    () => fill(text, "The rule's text is not available."),
  );
  return h("li", {}, main, h("details", {}, h("summary", {}, "Rule text"), text));
}

/** Show a rule as it is written. */
export function ruleText(rule, ruleset) {
  const where = address(`rulesets/${ruleset.name}/${ruleset.version}`);
  return [
    h(
      "div",
      { class: "row" },
      mark(rule.verdict),
      h(
        "span",
        { class: "quiet small" },
        said(rule.id),
        ` · ${words(rule.edit)} · ${words(rule.severity)}`,
      ),
    ),
    h("p", { class: "wrap", dir: "auto" }, rule.policy),
    entries("Should not", rule.should_not),
    entries("Can", rule.can),
    link(where, { class: "small" }, `${ruleset.name}, version ${ruleset.version}`),
  ];
}

function entries(title, list) {
  if (!list?.length) return null;
  return [
    h("h3", { class: "small" }, title),
    h(
      "ul",
      {},
      list.map((entry) => h("li", { class: "wrap", dir: "auto" }, entry.text ?? entry)),
    ),
  ];
}

/** Say what the endpoint could not judge, and what in the picture speaks to the model. */
export function warnings({ description, proof }) {
  const spoken = [
    ...new Set([...(description?.text_to_model ?? []), ...(proof?.text_to_model ?? [])]),
  ];
  const open = description?.not_assessed ?? [];
  return [
    spoken.length > 0 &&
      h(
        "div",
        { class: "notice bad" },
        h("h2", {}, "Text in the picture that speaks to the model or to you"),
        h(
          "ul",
          {},
          spoken.map((text) => h("li", { class: "wrap", dir: "auto" }, text)),
        ),
      ),
    open.length > 0 &&
      h(
        "div",
        { class: "notice warn" },
        h("h2", {}, "Not assessed"),
        h(
          "p",
          { class: "wrap" },
          open.map((rule, index) => [index ? ", " : "", said(rule)]),
        ),
      ),
  ];
}
