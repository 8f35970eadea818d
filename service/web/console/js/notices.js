// What is said without being asked: to eyes in a toast, to screen readers in a live region.

import { fill, h } from "./dom.js";

const region = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
const toasts = h("section", { class: "toasts", "aria-label": "Messages" });

/** Put both into the page. */
export function mount(body) {
  body.append(region, toasts);
}

/** Say something to screen readers. */
export function announce(text) {
  fill(region, text);
}

/** Show a message until it is put away, or for some seconds; gives what puts it away. */
export function toast(text, { seconds = 8, actions = [] } = {}) {
  const shown = h(
    "div",
    { class: "toast" },
    h("span", { class: "wrap", dir: "auto" }, text),
    ...actions,
  );
  toasts.append(shown);
  announce(text);
  const timer = seconds && setTimeout(() => shown.remove(), seconds * 1000);
  return () => {
    clearTimeout(timer);
    shown.remove();
  };
}

/** Tell of what did not work. */
export function failed(problem) {
  if (problem.name !== "AbortError") toast(problem.message, { seconds: 12 });
}
