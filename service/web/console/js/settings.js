// What a person likes: kept in this browser, since it says nothing about anybody's work.

const DEFAULTS = { theme: "system", direction: "auto", keys: "on" };
const KEPT = "moderation.settings";

/** Give one setting. */
export function setting(name) {
  return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") }[name];
}

/** Change one setting, and show it. */
export function set(name, value) {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  localStorage.setItem(KEPT, JSON.stringify({ ...kept, [name]: value }));
  apply();
}

/** Show the settings in the document. */
export function apply() {
  const root = document.documentElement;
  const theme = setting("theme");
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  const direction = setting("direction");
  if (direction === "auto") root.removeAttribute("dir");
  else root.dir = direction;
}
