// The filters of records, as a form; their names are the API's.

import { form } from "./dialogs.js";
import { choice, field, h } from "./dom.js";
import { words } from "./format.js";

const OUTCOMES = [
  ...["clean", "redacted", "violating", "not_assessed", "refused", "no_image", "no_description"],
  ...["invalid_description", "unfaithful_edit", "exhausted", "unreadable", "not_fetched"],
];
const DECISIONS = ["none", "allow", "allow_edited", "block", "escalate"];
const SEVERITIES = [
  ["1", "low or more"],
  ["2", "medium or more"],
  ["3", "high or more"],
  ["4", "critical"],
];
const ORDERS = [
  ["", "Newest first"],
  ["oldest", "Oldest first"],
  ["severity", "Most severe first"],
];

export const FILTERS = [
  { name: "text", label: "Words in the description", type: "search" },
  { name: "verdict", label: "Verdict", options: ["allow", "allow_edited", "hold", "block"] },
  { name: "decision", label: "Decision", options: DECISIONS },
  { name: "rule", label: "Rule" },
  { name: "min_severity", label: "Severity", pairs: SEVERITIES },
  { name: "outcome", label: "Outcome", options: OUTCOMES },
  { name: "ruleset", label: "Ruleset" },
  { name: "version", label: "Version", type: "number" },
  { name: "platform", label: "Platform" },
  { name: "received_from", label: "Received from", type: "datetime-local" },
  { name: "received_to", label: "Received before", type: "datetime-local" },
  { name: "category", label: "Category" },
  { name: "model", label: "Model" },
  { name: "external_id", label: "Id at the platform" },
  { name: "sha256", label: "SHA-256 of the file" },
  { name: "state", label: "State", options: ["done", "failed"] },
  { name: "where", label: "JSON path over the description", wide: true },
];
const FIRST = 5;

/** Show the filters with their values; `search` is called with those that are set. */
export function controls(values, search) {
  const order = field("Order", choice(ORDERS, values.order ?? "", { name: "order" }));
  const done = async (given) => search(filled(given));
  return h(
    "section",
    { class: "panel", "aria-label": "Filters" },
    form(
      fields(values, order),
      done,
      [
        h("button", { class: "main" }, "Search"),
        h("button", { type: "button", onclick: () => search({}) }, "Clear"),
      ],
    ),
  );
}

/** Make the fields of the filters, and one more beside those that are not folded. */
export function fields(values, beside) {
  const all = FILTERS.map((one) => field(one.label, control(one, values[one.name])));
  all.forEach((element, index) => element.classList.toggle("wide", Boolean(FILTERS[index].wide)));
  return [
    h("div", { class: "columns" }, all.slice(0, FIRST), beside),
    h(
      "details",
      { open: FILTERS.slice(FIRST).some(({ name }) => values[name]) },
      h("summary", {}, "More filters"),
      h("div", { class: "columns" }, all.slice(FIRST)),
    ),
  ];
}

/** Give the filters of an API's body as an address and the fields have them. */
export function spelt(filter) {
  const set = Object.entries(filter).filter(([, value]) => value !== null);
  return Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
}

/** Keep what of some values is a filter that is set. */
export function chosen(values) {
  const names = FILTERS.map(({ name }) => name).filter((name) => values[name]);
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}

/** Give filters as the API wants them in a body: an address has texts only. */
export function typed(filter) {
  const numbers = ["version", "min_severity"];
  const pairs = Object.entries(filter);
  return Object.fromEntries(
    pairs.map(([name, value]) => [name, numbers.includes(name) ? Number(value) : value]),
  );
}

function control({ name, type, options, pairs }, value) {
  if (options || pairs) {
    const all = [["", "any"], ...(pairs ?? options.map((one) => [one, words(one)]))];
    return choice(all, value ?? "", { name });
  }
  const text = type === "datetime-local" ? local(value) : value;
  return h("input", {
    name,
    type: type ?? "text",
    value: text,
    autocomplete: "off",
    spellcheck: "false",
    dir: "auto",
  });
}

/** Give the filters that are set, times in UTC as the API wants them. */
export function filled(given) {
  const set = Object.entries(given).filter(([, value]) => value.trim());
  return Object.fromEntries(
    set.map(([name, value]) => [
      name,
      name.startsWith("received_") ? new Date(value).toISOString() : value.trim(),
    ]),
  );
}

function local(value) {
  if (!value || Number.isNaN(Date.parse(value))) return null;
  const moment = new Date(value);
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
