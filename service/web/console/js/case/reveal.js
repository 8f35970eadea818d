// Opening the original: for a reason, noted, and within what a person can bear in a day.

import { lookAt, post, read } from "../api.js";
import { form, open } from "../dialogs.js";
import { field, h } from "../dom.js";
import { SEVERITIES } from "../format.js";

const REASONS = [
  "The description leaves the decision open",
  "The edit may hide too much or too little",
  "The sender objected",
];

/** Ask for a reason, open the original, and give its address to `opened`. */
export function askToReveal(upload, opened, putAway) {
  const reason = h("input", {
    name: "reason",
    required: true,
    maxlength: "500",
    list: "reveal-reasons",
    autocomplete: "off",
  });
  const done = async (values) => {
    try {
      const revealed = await post(`/v1/reviews/${upload.id}/reveal`, { reason: values.reason });
      const address = await lookAt(upload.images.original);
      dialog.close();
      opened(address, revealed.until);
    } catch (problem) {
      if (problem.code !== "exposure_budget_spent") throw problem;
      dialog.close();
      refuse(problem.message, putAway);
    }
  };
  const dialog = open("Show the original", (close) => [
    h(
      "p",
      {},
      "You can often decide without it: the description and the edited picture were made for that. Opening it is noted with your reason.",
    ),
    form(
      [
        h(
          "datalist",
          { id: "reveal-reasons" },
          REASONS.map((text) => h("option", { value: text })),
        ),
        field("Why it is needed", reason),
      ],
      done,
      [
        h("button", { class: "main" }, "Show the original"),
        h("button", { type: "button", onclick: close }, "Rather not"),
      ],
    ),
  ]);
  reason.focus();
}

/** Say kindly that it is enough for today, and offer to hand the case over. */
function refuse(text, putAway) {
  open("Enough for today", (close) => {
    const spent = h("ul", { class: "plain" });
    const hand = () => {
      close();
      putAway("handover");
    };
    exposure().then(
      (lines) => spent.append(...lines),
      () => undefined,
    );
    return [
      h("p", { dir: "auto" }, text),
      spent,
      h(
        "p",
        {},
        "You can still decide from the description and the edited picture, or let a colleague take this case. Both are fine, and nobody will ask why.",
      ),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "main", onclick: hand }, "Hand over"),
        h("button", { type: "button", onclick: close }, "Back to the description"),
      ),
    ];
  });
}

async function exposure() {
  const { items } = await read("/v1/me/exposure");
  const bounded = items.filter((one) => one.per_day !== null);
  return bounded.map((one) =>
    h("li", {}, `${SEVERITIES[one.severity]}: ${one.spent} of ${one.per_day} today`),
  );
}
