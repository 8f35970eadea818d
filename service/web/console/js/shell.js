// What stands around every page: where one is, who one is, and the ways to everything else.

import { read } from "./api.js";
import { fill, h, link } from "./dom.js";
import { openGuide } from "./guide.js";
import { openPalette } from "./palette.js";
import { is, signOut } from "./session.js";

const PAGES = [
  ["", "Queues", /^(queue|case|$)/, ["moderator", "policy", "admin"]],
  ["records", "Records", /^records/, ["moderator", "admin"]],
  ["rulesets", "Rulesets", /^rulesets/, ["policy", "moderator", "admin"]],
  ["dashboard", "Dashboard", /^dashboard/, ["moderator", "admin"]],
];

/** Build the page around the main landmark; gives that. */
export function build(body) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const skip = (event) => {
    event.preventDefault();
    main.focus();
  };
  const list = h("ul", { class: "plain" });
  const header = h(
    "header",
    { class: "bar" },
    link("/console/", { class: "brand" }, "Moderation"),
    h("nav", { "aria-label": "Console" }, list),
    h("div", { class: "row tools" }, tools()),
  );
  fill(
    body,
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to the content"),
    header,
    main,
  );
  addEventListener("console:moved", ({ detail }) => {
    header.hidden = !is("moderator", "policy", "admin");
    fill(
      list,
      PAGES.filter(([, , , roles]) => is(...roles)).map((one) => entry(one, detail)),
    );
  });
  addEventListener("console:signed-in", showPerson);
  return main;
}

function entry([path, text, where], path_now) {
  const current = where.test(path_now) ? "page" : null;
  return h("li", {}, link(`/console/${path}`, { "aria-current": current }, text));
}

function tools() {
  const leave = () => {
    signOut();
    location.assign("/console/");
  };
  return [
    h(
      "button",
      { type: "button", class: "bare", onclick: openPalette },
      "Go to",
      h("kbd", {}, "Ctrl K"),
    ),
    h("button", { type: "button", class: "bare", onclick: openGuide }, "Guide", h("kbd", {}, "?")),
    h("span", { id: "person", class: "quiet small wrap", dir: "auto" }),
    h("button", { type: "button", class: "bare", onclick: leave }, "Sign out"),
  ];
}

async function showPerson() {
  if (!is("moderator", "policy", "admin")) return;
  const me = await read("/v1/me");
  document.querySelector("#person").textContent = me.name ? `${me.name} (${me.role})` : me.role;
}
