// The guide: the keys that do something here, what the words mean, and a person's settings.

import { open } from "./dialogs.js";
import { choice, field, h } from "./dom.js";
import { listed } from "./keys.js";
import { set, setting } from "./settings.js";

const WORDS = [
  ["hold", "nobody may see the picture until a person has decided"],
  ["allow", "the picture as it was sent may be published"],
  ["allow edited", "only the edited picture may be published"],
  ["block", "no picture may be published"],
  ["escalate", "someone else must decide; nothing is told to the platform"],
  ["reveal", "opens the original for 15 minutes, for a reason; each look is noted"],
];
const SETTINGS = [
  [
    "theme",
    "Colours",
    [
      ["system", "As the system"],
      ["light", "Light"],
      ["dark", "Dark"],
    ],
  ],
  [
    "direction",
    "Direction",
    [
      ["auto", "As the language"],
      ["ltr", "Left to right"],
      ["rtl", "Right to left"],
    ],
  ],
  [
    "keys",
    "Single-letter keys",
    [
      ["on", "On"],
      ["off", "Off"],
    ],
  ],
];

/** Open the guide. */
export function openGuide() {
  open("Guide", (close) => [
    h("h3", {}, "Keys on this page"),
    keys(),
    h("p", { class: "quiet small" }, "Keys do nothing while you type, and when held down."),
    h("h3", {}, "Words"),
    h(
      "dl",
      { class: "pairs" },
      WORDS.map(([word, text]) => [h("dt", {}, word), h("dd", {}, text)]),
    ),
    h("h3", {}, "Settings of this browser"),
    h(
      "div",
      { class: "columns" },
      SETTINGS.map(([name, text, pairs]) => control(name, text, pairs)),
    ),
    h("div", { class: "row" }, h("button", { type: "button", onclick: close }, "Close")),
  ]);
}

function keys() {
  const pairs = [...listed(), ["Ctrl K", "go to anything"]];
  return h(
    "dl",
    { class: "pairs" },
    pairs.map(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]),
  );
}

function control(name, text, pairs) {
  const changed = (event) => set(name, event.target.value);
  return field(text, choice(pairs, setting(name), { onchange: changed }));
}
