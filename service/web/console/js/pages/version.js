// One version: its text with live faults, what it changes, its prompt and price, its examples.

import { call, read } from "../api.js";
import { fill, h, link, said } from "../dom.js";
import { exactly, words } from "../format.js";
import { address, become, heading, page, query } from "../router.js";
import { shownDiff } from "../rulesets/diff.js";
import "../rulesets/editor.js";
import { examples } from "../rulesets/examples.js";
import { prompt } from "../rulesets/prompt.js";
import { askToPublish } from "../rulesets/publish.js";
import { TEMPLATE } from "../rulesets/template.js";
import { is } from "../session.js";
import { state } from "./ruleset.js";

const TABS = {
  text: "Text",
  changes: "Changes",
  prompt: "Prompt and price",
  examples: "Golden examples",
  releases: "Releases",
};

page(/^rulesets\/([a-z0-9-]+)\/new$/, async (main, [name]) => {
  const editor = document.createElement("ruleset-editor");
  fill(main, heading(`New ruleset ${name}`), editor);
  editor.show(name, TEMPLATE.replace("NAME", name), true);
});

page(/^rulesets\/([a-z0-9-]+)\/(\d+)$/, async (main, [name, number], signal) => {
  const path = `/v1/rulesets/${name}/versions/${number}`;
  const [version, { data: ruleset, etag }] = await Promise.all([
    read(path, {}, signal),
    call("GET", `/v1/rulesets/${name}`, { signal }),
  ]);
  const one = { name, number, path, version, ruleset, etag, signal };
  const panel = h("div", {
    role: "tabpanel",
    id: "tabpanel",
    "aria-labelledby": "tab-text",
    class: "stack",
  });
  const publish =
    is("policy") &&
    version.state !== "live" &&
    h("button", { type: "button", class: "main", onclick: () => askToPublish(one) }, "Publish…");
  fill(
    main,
    heading(
      `${version.content.title}, version ${number}`,
      h("div", { class: "row" }, state(version), publish),
    ),
    h(
      "p",
      { class: "quiet small wrap" },
      link(address(`rulesets/${name}`), {}, "All versions"),
      " · made by ",
      said(version.author),
      ` · ${exactly(version.created_at)}`,
      version.note && [" · ", said(version.note)],
    ),
    tabs(panel, one),
    panel,
  );
});

function tabs(panel, one) {
  const chosen = query().tab in TABS ? query().tab : "text";
  const buttons = Object.entries(TABS).map(([name, text]) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${name}`,
        "aria-controls": "tabpanel",
        onclick: () => choose(name),
      },
      text,
    ),
  );
  const choose = (name) => {
    become(address(`rulesets/${one.name}/${one.number}`, { tab: name === "text" ? "" : name }));
    for (const button of buttons) {
      const selected = button.id === `tab-${name}`;
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    SHOW[name](panel, one).catch((problem) => {
      if (!one.signal.aborted)
        fill(panel, h("p", { class: "notice bad", role: "alert" }, problem.message));
    });
  };
  const list = h(
    "div",
    { role: "tablist", "aria-label": "Parts of the version", class: "row tabs" },
    buttons,
  );
  list.addEventListener("keydown", (event) => {
    const forward = getComputedStyle(list).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key] * (forward === "ArrowRight" ? 1 : -1);
    if (!step) return;
    const next =
      buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
  });
  choose(chosen);
  return list;
}

const SHOW = {
  async text(panel, { name, version }) {
    const editor = document.createElement("ruleset-editor");
    fill(panel, editor);
    editor.show(name, version.source, is("policy"));
  },
  async changes(panel, { name, number, path, ruleset, signal }) {
    const before =
      ruleset.live_version && String(ruleset.live_version) !== number
        ? ruleset.live_version
        : Number(number) - 1;
    if (before < 1) {
      fill(panel, h("p", { class: "panel" }, "This is the first version."));
      return;
    }
    const diff = await read(`${path}/diff`, { from: before }, signal);
    fill(
      panel,
      h(
        "p",
        {},
        "Against ",
        link(address(`rulesets/${name}/${before}`), {}, `version ${before}`),
        before === ruleset.live_version ? ", which is live." : ".",
      ),
      shownDiff(diff),
    );
  },
  async prompt(panel, { path, signal }) {
    fill(panel, prompt(await read(`${path}/prompt`, {}, signal)));
  },
  async examples(panel, one) {
    await examples(panel, one);
  },
  async releases(panel, { version }) {
    const items = version.releases.map((one) =>
      h(
        "li",
        {},
        h("strong", {}, words(one.kind)),
        " by ",
        said(one.actor),
        `, ${exactly(one.at)}`,
        one.override && h("span", { class: "mark warn" }, "examples overridden"),
        one.reason && h("p", { class: "wrap", dir: "auto" }, one.reason),
      ),
    );
    fill(
      panel,
      h(
        "ol",
        { class: "plain history panel" },
        items.length ? items : h("li", {}, "It never was live."),
      ),
    );
  },
};
