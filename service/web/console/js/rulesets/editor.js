// <ruleset-editor>: a text area with line numbers; while one writes, the service tells the faults,
// or the size, the price and the changes.

import { call } from "../api.js";
import { form, open } from "../dialogs.js";
import { field, fill, h, said } from "../dom.js";
import { count } from "../format.js";
import { announce, failed } from "../notices.js";
import { address, go } from "../router.js";
import { shownDiff } from "./diff.js";
import { prices } from "./prompt.js";

const WAIT_MS = 350;
const YAML = "application/yaml";

class RulesetEditor extends HTMLElement {
  /** Show a source; whoever may not write sees it only. */
  show(name, source, writable) {
    Object.assign(this, { name, source });
    this.gutter = h("div", { class: "gutter", "aria-hidden": "true" });
    this.text = h("textarea", {
      class: "source",
      wrap: "off",
      spellcheck: "false",
      autocapitalize: "off",
      "aria-label": `Text of ruleset ${name}`,
      readonly: !writable,
    });
    this.text.value = source;
    this.told = h("div", { class: "stack", "aria-label": "What the service says", role: "region" });
    const save =
      writable &&
      h("button", { type: "button", class: "main", onclick: () => this.save() }, "Save as a draft");
    fill(
      this,
      h("div", { class: "editor" }, this.gutter, this.text),
      save && h("div", { class: "row" }, save),
      writable && this.told,
    );
    this.text.addEventListener("scroll", () => (this.gutter.scrollTop = this.text.scrollTop));
    this.text.addEventListener("input", () => this.changed());
    this.number([]);
    if (writable) this.check();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), WAIT_MS);
    if (this.text.value.split("\n").length !== this.gutter.childElementCount) this.number([]);
  }

  async check() {
    const checked = this.text.value;
    try {
      const { data } = await call("POST", `/v1/rulesets/${this.name}/preview`, {
        body: checked,
        type: YAML,
      });
      // Somebody who goes on writing is told of what stands there then.
      if (this.isConnected && this.text.value === checked) this.tell(data);
    } catch (problem) {
      if (this.isConnected) fill(this.told, h("p", { class: "notice bad" }, problem.message));
    }
  }

  tell(found) {
    this.number(found.faults.map((fault) => fault.line));
    this.text.setAttribute("aria-invalid", String(found.faults.length > 0));
    const said_ = found.faults.length ? `${found.faults.length} faults` : "No faults";
    if (this.said !== said_) announce(said_);
    this.said = said_;
    fill(this.told, found.faults.length ? this.faults(found.faults) : this.good(found));
  }

  faults(faults) {
    return h(
      "div",
      { class: "notice bad" },
      h("h2", {}, faults.length === 1 ? "One fault" : `${faults.length} faults`),
      h(
        "ul",
        { class: "plain stack tight" },
        faults.map((fault) =>
          h(
            "li",
            { class: "wrap" },
            h(
              "button",
              { type: "button", class: "small", onclick: () => this.jump(fault) },
              `Line ${fault.line}, column ${fault.column}`,
            ),
            " ",
            said(fault.message),
          ),
        ),
      ),
    );
  }

  good(found) {
    return [
      h(
        "p",
        { class: "notice" },
        `No faults. The prompt has about ${count(found.tokens)} tokens (${count(found.chars)} characters).`,
      ),
      prices(found.upstreams),
      found.diff &&
        h(
          "details",
          {},
          h(
            "summary",
            {},
            found.diff.identical
              ? "Nothing changed against the live version"
              : "Changes against the live version",
          ),
          shownDiff(found.diff),
        ),
    ];
  }

  jump({ line, column }) {
    const lines = this.text.value.split("\n");
    const at = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
    this.text.focus();
    this.text.setSelectionRange(at, at);
    this.text.scrollTop = (this.text.scrollHeight / lines.length) * Math.max(0, line - 4);
  }

  number(wrong) {
    const bad = new Set(wrong);
    fill(
      this.gutter,
      this.text.value
        .split("\n")
        .map((_, index) => h("span", { class: bad.has(index + 1) ? "wrong" : null }, index + 1)),
    );
    this.gutter.scrollTop = this.text.scrollTop;
  }

  save() {
    const note = h("input", { name: "note", maxlength: "500", autocomplete: "off", dir: "auto" });
    const dialog = open("Save as a draft", (close) =>
      form(
        [field("Note", note, "What you changed, and why; it is kept with the version.")],
        async (values) => {
          const { data } = await call("POST", `/v1/rulesets/${this.name}/versions`, {
            body: this.text.value,
            type: YAML,
            query: { note: values.note },
          });
          dialog.close();
          go(address(`rulesets/${this.name}/${data.version}`)).then(
            () => announce(`Version ${data.version} is kept.`),
            failed,
          );
        },
        [
          h("button", { class: "main" }, "Save"),
          h("button", { type: "button", onclick: close }, "Cancel"),
        ],
      ),
    );
    note.focus();
  }
}

customElements.define("ruleset-editor", RulesetEditor);
