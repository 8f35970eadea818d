// What to say when somebody else was faster.

import { h } from "../dom.js";
import { DECIDED, ago } from "../format.js";
import { person } from "./history.js";

const CODES = new Set(["case_changed", "leased_by_other", "decision_unchanged"]);

/** Tell whether a refusal means that somebody else was there. */
export function isConflict(problem) {
  return CODES.has(problem.code);
}

/** Show what happened meanwhile; `again` loads the case anew, `onward` goes to the next one. */
export function conflict(problem, again, onward) {
  const last = problem.body.current?.decisions?.filter((made) => !made.undone_at).at(-1);
  const lease = problem.body.current?.lease;
  const lines = [
    last &&
      `${DECIDED[last.decision]} by ${person(last)} ${ago(last.decided_at)}${last.reason ? `: ${last.reason}` : "."}`,
    lease &&
      `${lease.holder?.name ?? "A colleague"} has this case open, for now until ${new Date(lease.until).toLocaleTimeString()}.`,
  ].filter(Boolean);
  return h(
    "div",
    { class: "notice warn conflict", role: "alert" },
    h(
      "h2",
      {},
      last
        ? "Somebody decided meanwhile"
        : lease
          ? "Somebody else has this case"
          : "This case has changed",
    ),
    lines.length
      ? lines.map((text) => h("p", { dir: "auto", class: "wrap" }, text))
      : h("p", { dir: "auto" }, problem.message),
    h("p", { class: "quiet small" }, "Your decision was not kept."),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", onclick: again }, "Load it anew"),
      onward &&
        h(
          "button",
          { type: "button", class: "main", onclick: onward },
          "Next case",
          h("kbd", {}, "n"),
        ),
    ),
  );
}
