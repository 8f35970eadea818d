// One address a state.  A page gets the main landmark, the parts of its address, and a signal that
// ends when it is left; whatever it listens to or waits for ends with that.

import { fill, h } from "./dom.js";
import { announce } from "./notices.js";

const BASE = "/console/";
const routes = [];
let leaving = new AbortController();
let main = null;

/** Declare a page: `pattern` is matched against what comes after /console/. */
export function page(pattern, show) {
  routes.push([pattern, show]);
}

/** Begin to follow addresses, showing pages in this element. */
export function start(element) {
  main = element;
  addEventListener("popstate", () => render());
  document.addEventListener("click", follow);
  return render();
}

/** Go to an address within the console. */
export function go(address) {
  history.pushState(null, "", address);
  return render();
}

/** Change the address of the state that is shown, without another entry of the history. */
export function become(address) {
  history.replaceState(null, "", address);
}

/** Give the query of the address as an object. */
export function query() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

/** Spell an address within the console; empty values are left out. */
export function address(path, values = {}) {
  const pairs = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return BASE + path + (pairs.length ? `?${new URLSearchParams(pairs)}` : "");
}

/** Give a page its name, in its heading and in the browser's tab. */
export function heading(text, ...beside) {
  document.title = `${text} · Moderation console`;
  const title = h("h1", { tabindex: "-1", dir: "auto", class: "wrap" }, text);
  return h("header", { class: "row apart page-head" }, title, ...beside);
}

/** Show what the address says. */
export async function render() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const path = decodeURIComponent(location.pathname.slice(BASE.length));
  const found = routes
    .map(([pattern, show]) => [pattern.exec(path), show])
    .find(([match]) => match);
  dispatchEvent(new CustomEvent("console:moved", { detail: path }));
  try {
    if (found) await found[1](main, found[0].slice(1), signal);
    else fill(main, heading("Not found"), h("p", {}, "Nothing is at this address."));
  } catch (problem) {
    if (signal.aborted || problem.name === "AbortError") return;
    fill(
      main,
      heading("This did not work"),
      h("p", { class: "notice bad", role: "alert" }, problem.message),
    );
  }
  if (signal.aborted) return;
  // Whoever does not see the page learns that it is another one.
  main.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
  announce(document.title);
}

function follow(event) {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey) return;
  if (event.shiftKey || anchor.target || anchor.hasAttribute("download")) return;
  const url = new URL(anchor.href);
  if (url.origin !== location.origin || !url.pathname.startsWith(BASE)) return;
  if (url.hash && url.pathname === location.pathname) return;
  event.preventDefault();
  go(url.pathname + url.search);
}
