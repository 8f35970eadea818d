// The undo window: the last decision stands in a toast, the ones before it wait behind.

import { call } from "../api.js";
import { fill, h } from "../dom.js";
import { DECIDED } from "../format.js";
import { bind } from "../keys.js";
import { announce, failed } from "../notices.js";
import { go } from "../router.js";

const TICK_MS = 250;
let made = [];

/** <undo-toast>: says what was decided, and counts down while it can be taken back. */
class UndoToast extends HTMLElement {
  connectedCallback() {
    this.className = "toast";
    this.left = h("span", { "aria-hidden": "true", class: "numeric" });
    this.text = h("span");
    const button = h("button", { type: "button", onclick: undo }, "Undo", h("kbd", {}, "u"));
    fill(this, this.text, button, this.left);
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  tick() {
    made = made.filter(({ until }) => until > performance.now());
    const last = made.at(-1);
    if (!last) {
      this.remove();
      return;
    }
    const before = made.length > 1 ? ` (and ${made.length - 1} before)` : "";
    this.text.textContent = `${DECIDED[last.decision]}${before}`;
    this.left.textContent = `${Math.ceil((last.until - performance.now()) / 1000)} s`;
  }
}

customElements.define("undo-toast", UndoToast);

bind("u", "undo the last decision", () => undo());

/** Offer to take a decision back for so many seconds; `back` is the address of its case. */
export function offer(id, decision, seconds, back) {
  made.push({ id, decision, back, until: performance.now() + seconds * 1000 });
  announce(`${DECIDED[decision]}. Press u to undo.`);
  const shown = document.querySelector("undo-toast");
  if (shown) shown.tick();
  else document.querySelector(".toasts").append(document.createElement("undo-toast"));
}

async function undo() {
  const last = made.pop();
  if (!last) return;
  document.querySelector("undo-toast")?.tick();
  try {
    await call("DELETE", `/v1/reviews/${last.id}/decision`);
    await go(last.back);
    announce(`Undone: ${DECIDED[last.decision]}.`);
  } catch (problem) {
    failed(problem);
  }
}
