// The decision bar: its keys are printed on its buttons.

import { h } from "../dom.js";
import { DECISIONS } from "../format.js";

export const KEYS = { allow: "a", allow_edited: "e", block: "b", escalate: "x" };

/**
 * Build the bar.  `decide(decision, reason)` is called once a reason is there where one is needed;
 * `skip` puts the case off.  Gives {element, choose, needReason, busy, comment}.
 */
export function bar(upload, required, decide, skip) {
  let waiting = null;
  const needed = new Set(required);
  const hint = h("p", { class: "small bar-hint", role: "status" });
  const reason = h("input", {
    id: "reason",
    name: "reason",
    maxlength: "2000",
    autocomplete: "off",
    "aria-describedby": "reason-hint",
  });
  hint.id = "reason-hint";
  const say = (text, wrong) => {
    hint.textContent = text;
    reason.setAttribute("aria-invalid", String(Boolean(wrong)));
  };
  const needReason = (decision) => {
    waiting = decision;
    say(`Say why, then press Enter: ${DECISIONS[decision]}.`, true);
    reason.focus();
  };
  const choose = (decision) => {
    if (decision === "allow_edited" && !upload.images.edited) {
      say("There is no edited picture to allow.", false);
      return;
    }
    if (needed.has(decision) && !reason.value.trim()) needReason(decision);
    else decide(decision, reason.value.trim());
  };
  reason.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      waiting = null;
      say("", false);
      reason.blur();
    }
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (waiting) choose(waiting);
    else say("Leave this field with Escape, then press the key of a decision.", false);
  });
  const buttons = Object.entries(DECISIONS).map(([decision, text]) =>
    h(
      "button",
      {
        type: "button",
        class: `decision ${decision}`,
        "data-decision": decision,
        disabled: decision === "allow_edited" && !upload.images.edited,
        onclick: () => choose(decision),
      },
      text,
      h("kbd", {}, KEYS[decision]),
    ),
  );
  const put = h(
    "button",
    { type: "button", class: "bare", onclick: skip },
    "Skip",
    h("kbd", {}, "s"),
  );
  const element = h(
    "section",
    { class: "decision-bar", "aria-label": "Decision" },
    h("div", { class: "reason" }, h("label", { for: "reason" }, "Reason"), reason, hint),
    h("div", { class: "row decisions" }, buttons, put),
  );
  const busy = (now) => element.setAttribute("aria-busy", String(now));
  return { element, choose, needReason, busy };
}
