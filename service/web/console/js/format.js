// Times, money and the field's words as people read them.

import { h, s } from "./dom.js";

export const SEVERITIES = ["none", "low", "medium", "high", "critical"];
export const DECISIONS = {
  allow: "Allow",
  allow_edited: "Allow edited",
  block: "Block",
  escalate: "Escalate",
};
export const DECIDED = {
  allow: "Allowed",
  allow_edited: "Edited picture allowed",
  block: "Blocked",
  escalate: "Escalated",
};
const KINDS = {
  allow: "good",
  allow_edited: "good",
  clean: "good",
  redacted: "good",
  hold: "warn",
  not_assessed: "warn",
  violating: "bad",
  block: "bad",
  escalate: "grave",
};
// A shape for each severity, so that it can be told without its colour.
const SHAPES = [
  "M5 1a4 4 0 1 0 0 8a4 4 0 1 0 0-8Zm0 1.6a2.4 2.4 0 1 1 0 4.8a2.4 2.4 0 1 1 0-4.8Z",
  "M5 1a4 4 0 1 0 0 8a4 4 0 1 0 0-8Z",
  "M1 1h8v8H1Z",
  "M5 .5 10 9.5H0Z",
  "M3 0h4l3 3v4l-3 3H3L0 7V3Z",
];
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const counted = new Intl.NumberFormat();
const dollars = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 3,
});

/** Spell an outcome, verdict or state as words. */
export function words(name) {
  return String(name ?? "none").replaceAll("_", " ");
}

/** Mark a verdict, outcome or decision with its word, coloured. */
export function mark(name) {
  return h("span", { class: `mark ${KINDS[name] ?? ""}` }, words(name));
}

/** Mark a severity from 0 to 4 by shape, word and colour. */
export function severity(level) {
  const kind = ["", "good", "warn", "bad", "grave"][level];
  const shape = s(
    "svg",
    { viewBox: "0 0 10 10", "aria-hidden": "true" },
    s("path", { d: SHAPES[level] }),
  );
  return h("span", { class: `mark ${kind}` }, shape, SEVERITIES[level]);
}

/** Show a moment: how long ago, with the exact time beside it. */
export function moment(time) {
  if (!time) return "—";
  const exact = absolute.format(new Date(time));
  return h("time", { datetime: time, title: exact }, ago(time));
}

/** Spell how far a moment is from now. */
export function ago(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, one]) => Math.abs(seconds) >= one) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

/** Spell a moment exactly. */
export function exactly(time) {
  return time ? absolute.format(new Date(time)) : "—";
}

/** Spell a duration in seconds, by its two greatest units. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "—";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

/** Spell a count. */
export function count(number) {
  return counted.format(number ?? 0);
}

/** Spell microdollars. */
export function money(microusd) {
  return microusd === null || microusd === undefined ? "unknown" : dollars.format(microusd / 1e6);
}

/** Spell a share of one as per cent. */
export function share(part, whole) {
  return whole ? `${((100 * part) / whole).toFixed(part === whole ? 0 : 1)} %` : "—";
}

/** Tell the greatest severity of a description, 0 without findings. */
export function worst(description) {
  return Math.max(0, ...(description?.findings ?? []).map((finding) => finding.severity));
}
