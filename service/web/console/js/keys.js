// Single keys.  They are dead while somebody types, in dialogs, with modifiers, and when held down:
// a key that repeats must never decide a second case.

import { setting } from "./settings.js";

const bound = new Map();

/** Bind a key while the signal lasts; `text` stands in the guide. */
export function bind(key, text, action, signal) {
  bound.set(key, { text, action });
  signal?.addEventListener("abort", () => {
    if (bound.get(key)?.action === action) bound.delete(key);
  });
}

/** List the keys that do something now, for the guide. */
export function listed() {
  return [...bound].map(([key, { text }]) => [key, text]);
}

/** Tell whether keys belong to what the person writes or chooses. */
export function typing(target) {
  return Boolean(target?.closest?.("input, textarea, select, [contenteditable], dialog"));
}

/** Begin to listen. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (setting("keys") === "off" && event.key.length === 1) return;
    const found = bound.get(event.key);
    if (!found) return;
    event.preventDefault();
    found.action(event);
  });
}
