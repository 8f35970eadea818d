// One ruleset: its versions, and back to an earlier one.

import { call } from "../api.js";
import { form, open } from "../dialogs.js";
import { choice, field, fill, h, link, said } from "../dom.js";
import { moment, words } from "../format.js";
import { toast } from "../notices.js";
import { address, heading, page, render } from "../router.js";
import { is } from "../session.js";

const KINDS = { live: "good", draft: "warn" };

page(/^rulesets\/([a-z0-9-]+)$/, async (main, [name], signal) => {
  const { data: ruleset, etag } = await call("GET", `/v1/rulesets/${name}`, { signal });
  const back =
    is("policy") &&
    ruleset.versions.some((one) => one.state === "retired") &&
    h("button", { type: "button", onclick: () => rollBack(ruleset, etag) }, "Roll back…");
  const rows = ruleset.versions.map((one) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        link(address(`rulesets/${name}/${one.version}`), {}, `Version ${one.version}`),
      ),
      h("td", {}, state(one)),
      h("td", { class: "wrap" }, said(one.note ?? "—")),
      h("td", { class: "wrap" }, said(one.author)),
      h("td", {}, moment(one.created_at)),
    ),
  );
  fill(
    main,
    heading(ruleset.title, h("div", { class: "row" }, back)),
    h(
      "div",
      { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Versions" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Version", "State", "Note", "Author", "Made"].map((text) =>
              h("th", { scope: "col" }, text),
            ),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
});

/** Mark whether a version is live, a draft, or retired. */
export function state(version) {
  return h("span", { class: `mark ${KINDS[version.state] ?? ""}` }, words(version.state));
}

function rollBack(ruleset, etag) {
  const earlier = ruleset.versions.filter((one) => one.state === "retired");
  const versions = choice(
    earlier.map((one) => [String(one.version), `Version ${one.version}`]),
    null,
    { name: "version" },
  );
  const reason = h("input", {
    name: "reason",
    required: true,
    maxlength: "2000",
    autocomplete: "off",
    dir: "auto",
  });
  const dialog = open("Roll back", (close) =>
    form(
      [
        h(
          "p",
          {},
          `Version ${ruleset.live_version} is live. Uploads that were accepted keep the version they have.`,
        ),
        field("Back to", versions),
        field("Why", reason),
      ],
      async (values) => {
        const body = { version: Number(values.version), reason: values.reason };
        const { data } = await call("POST", `/v1/rulesets/${ruleset.name}/rollback`, {
          body,
          etag,
        });
        dialog.close();
        toast(`Version ${data.live_version} is live.`);
        await render();
      },
      [
        h("button", { class: "main" }, "Roll back"),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
}
