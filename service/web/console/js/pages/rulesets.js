// All rulesets: what is live, and what waits to be.

import { read } from "../api.js";
import { form, open } from "../dialogs.js";
import { field, fill, h, link } from "../dom.js";
import { mark } from "../format.js";
import { address, go, heading, page } from "../router.js";
import { is } from "../session.js";

page(/^rulesets$/, async (main, _, signal) => {
  const { items } = await read("/v1/rulesets", {}, signal);
  const add = is("policy") && h("button", { type: "button", onclick: ask }, "New ruleset");
  const rows = items.map((one) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        link(address(`rulesets/${one.name}`), { dir: "auto", class: "wrap" }, one.title),
        h("div", { class: "quiet small wrap" }, one.name),
      ),
      h(
        "td",
        {},
        one.live_version
          ? h("span", { class: "mark good" }, `version ${one.live_version}`)
          : mark("none"),
      ),
      h("td", { class: "numeric" }, one.newest_version),
      h("td", { class: "numeric" }, one.states.draft),
    ),
  );
  fill(
    main,
    heading("Rulesets", add),
    h(
      "div",
      { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Rulesets" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Ruleset", "Live", "Newest", "Drafts"].map((text, index) =>
              h("th", { scope: "col", class: index > 1 ? "numeric" : null }, text),
            ),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
});

function ask() {
  const name = h("input", {
    name: "name",
    required: true,
    pattern: "[a-z0-9][a-z0-9\\-]{0,62}",
    autocomplete: "off",
  });
  const dialog = open("New ruleset", (close) =>
    form(
      [field("Name", name, "Lower-case letters, digits and '-'.")],
      async (values) => {
        dialog.close();
        await go(address(`rulesets/${values.name}/new`));
      },
      [
        h("button", { class: "main" }, "Write it"),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
  name.focus();
}
