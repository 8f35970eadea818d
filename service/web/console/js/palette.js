// The palette: pages, queues, rulesets, and any upload by its id, without leaving the keyboard.

import { read } from "./api.js";
import { open } from "./dialogs.js";
import { fill, fresh, h } from "./dom.js";
import { announce } from "./notices.js";
import { address, go } from "./router.js";
import { is } from "./session.js";

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const MOST = 12;

/** Open the palette. */
export function openPalette() {
  if (document.querySelector("dialog[open]") || !is("moderator", "policy", "admin")) return;
  const list = h("ul", {
    role: "listbox",
    id: fresh("palette"),
    class: "plain palette",
    "aria-label": "Places",
  });
  const input = h("input", {
    type: "search",
    role: "combobox",
    "aria-controls": list.id,
    "aria-expanded": "true",
    "aria-label": "Where to, or the id of an upload",
    autocomplete: "off",
  });
  let entries = fixed();
  let chosen = 0;
  const dialog = open("Go to", () => [input, list]);
  const show = () => draw(list, input, matching(entries, input.value), chosen);
  const leave = ([, where]) => {
    dialog.close();
    go(where);
  };
  input.addEventListener("input", () => {
    chosen = 0;
    show();
    announce(`${list.childElementCount} places`);
  });
  input.addEventListener("keydown", (event) => {
    const found = matching(entries, input.value);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      chosen = (chosen + step + found.length) % found.length;
      show();
    }
    if (event.key === "Enter" && found[chosen]) leave(found[chosen]);
  });
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) leave(matching(entries, input.value)[[...list.children].indexOf(item)]);
  });
  show();
  input.focus();
  named().then((more) => {
    entries = [...entries, ...more];
    if (dialog.open) show();
  });
}

function draw(list, input, found, chosen) {
  const items = found.map(([text], index) =>
    h(
      "li",
      {
        role: "option",
        id: fresh("place"),
        "aria-selected": String(index === chosen),
        dir: "auto",
      },
      text,
    ),
  );
  fill(list, items);
  if (items[chosen]) input.setAttribute("aria-activedescendant", items[chosen].id);
  else input.removeAttribute("aria-activedescendant");
}

function matching(entries, text) {
  const id = ID.exec(text);
  if (id) return [[`Upload ${id[0]}`, address(`case/${id[0].toLowerCase()}`)]];
  const wanted = text.trim().toLowerCase();
  return entries.filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, MOST);
}

function fixed() {
  return [
    ["Queues", address("")],
    ["Records", address("records")],
    ["Rulesets", address("rulesets")],
    ["Dashboard", address("dashboard")],
    ...(is("policy", "admin") ? [["New queue", address("queues/new")]] : []),
  ];
}

async function named() {
  const [queues, rulesets] = await Promise.allSettled([read("/v1/queues"), read("/v1/rulesets")]);
  const items = (one) => (one.status === "fulfilled" ? one.value.items : []);
  return [
    ...items(queues).map((one) => [`Queue: ${one.title}`, address(`queue/${one.name}`)]),
    ...items(rulesets).map((one) => [`Ruleset: ${one.title}`, address(`rulesets/${one.name}`)]),
  ];
}
