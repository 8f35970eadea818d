// The settings of a queue as a form; what the service refuses is said where it was written.

import { form } from "../dialogs.js";
import { choice, field, fill, fresh, h, link } from "../dom.js";
import { chosen, fields, filled, spelt, typed } from "../filters.js";
import { DECISIONS } from "../format.js";
import { announce } from "../notices.js";
import { address } from "../router.js";
import { asked } from "../saved.js";

export const ORDERS = [
  ["severity", "most severe first"],
  ["oldest", "oldest first"],
  ["newest", "newest first"],
];
const BLURS = [
  ["always", "always"],
  ["none", "never"],
  ["1", "from low severity on"],
  ["2", "from medium severity on"],
  ["3", "from high severity on"],
  ["4", "only when critical"],
];
const MOST = [
  ["", "everything"],
  ["3", "up to high severity"],
  ["2", "up to medium severity"],
  ["1", "up to low severity"],
  ["0", "only what has no finding"],
];
const FITS =
  "What fits all of these; only what is held or blocked and undecided, unless you choose a verdict or a decision.";
const FAULT = "fault";

/** Show a queue's settings, one without a name for a new queue; `save` is given the API's body. */
export function settings(queue, views, save) {
  const made = form(
    [naming(queue), filtering(queue, views), working(queue), reasons(queue)],
    async (values) => {
      forgive(made);
      try {
        await save(body(queue, values));
      } catch (problem) {
        throw blame(made, problem);
      }
    },
    [
      h("button", { class: "main" }, queue.name ? "Save" : "Make the queue"),
      link(address(""), { class: "button" }, "Cancel"),
    ],
  );
  return made;
}

function naming(queue) {
  const text = { autocomplete: "off", required: true };
  const name = {
    ...text,
    name: "name",
    maxlength: "63",
    pattern: "[a-z0-9][a-z0-9\\-]*",
    spellcheck: "false",
  };
  const title = { ...text, name: "title", maxlength: "200", value: queue.title, dir: "auto" };
  return group(
    "What it is called",
    h(
      "div",
      { class: "columns" },
      field("Title", h("input", title)),
      !queue.name &&
        field(
          "Name in addresses",
          h("input", name),
          "Small letters, digits and hyphens; it stays as it is.",
        ),
    ),
  );
}

function filtering(queue, views) {
  const conditions = h("div", { class: "stack" });
  const show = (filter) => fill(conditions, fields(filter));
  show(spelt(queue.filter));
  const pick = choice([["", "choose one"], ...views.map((one) => [one.id, one.name])], "", {
    dir: "auto",
  });
  pick.addEventListener("change", () => {
    const view = views.find((one) => one.id === pick.value);
    if (!view) return;
    const { order, ...filter } = asked(view);
    show(filter);
    if (order) pick.form.elements.order.value = order;
    announce(`The filters are those of ${view.name}.`);
  });
  return group(
    "What waits in it",
    h("p", { class: "quiet small" }, FITS),
    views.length > 0 && h("div", { class: "narrow" }, field("Fill in from a saved view", pick)),
    conditions,
  );
}

function working(queue) {
  const { blur, max_severity: most, sla_s: within } = queue;
  const covered = blur.severity === undefined ? blur : String(blur.severity);
  const minutes = {
    name: "sla_s",
    type: "number",
    min: "0",
    step: "any",
    value: within === null ? null : within / 60,
  };
  return group(
    "How it is worked on",
    h(
      "div",
      { class: "columns" },
      field("Order of the queue", choice(ORDERS, queue.order, { name: "order" })),
      field("Decide within (minutes)", h("input", minutes), "Whatever waits longer is marked late."),
      field("Offered", choice(MOST, String(most ?? ""), { name: "max_severity" })),
      field("Cover the edited picture", choice(BLURS, covered, { name: "blur" })),
    ),
  );
}

function reasons(queue) {
  const boxes = Object.entries(DECISIONS).map(([name, text]) => {
    const checked = queue.reason_required.includes(name);
    const box = h("input", { type: "checkbox", name: `reason_${name}`, checked });
    return h("label", { class: "check" }, box, text);
  });
  return group("Which decisions need a reason", h("div", { class: "row" }, boxes));
}

function group(text, ...children) {
  return h("fieldset", { class: "panel stack" }, h("legend", {}, text), children);
}

function body(queue, values) {
  const { blur, max_severity: most, sla_s: within } = values;
  const given = {
    title: values.title.trim(),
    filter: typed(filled(chosen(values))),
    order: values.order,
    reason_required: Object.keys(DECISIONS).filter((name) => `reason_${name}` in values),
    blur: /\d/.test(blur) ? { severity: Number(blur) } : blur,
    sla_s: within === "" ? null : Math.round(60 * within),
    max_severity: most === "" ? null : Number(most),
  };
  return queue.name ? given : { name: values.name, ...given };
}

/** Say each fault under its field, and go to the first one; gives what is to be said of them all. */
function blame(made, problem) {
  const name = problem.code === "queue_exists" && [{ field: "name", message: problem.message }];
  const wrong = (name || (problem.body?.errors ?? [])).flatMap(({ field: path, message }) => {
    const control = path.split(".").map((part) => made.elements.namedItem(part)).find(Boolean);
    if (!control) return [];
    const fault = h("p", { class: "fault small wrap", id: fresh(FAULT), dir: "auto" }, message);
    control.setAttribute("aria-invalid", "true");
    describe(control, [...described(control), fault.id]);
    control.after(fault);
    return [control];
  });
  if (!wrong.length) return problem;
  wrong[0].closest("details")?.setAttribute("open", "");
  wrong[0].focus();
  return new Error(wrong.length > 1 ? `${wrong.length} fields are wrong.` : "One field is wrong.");
}

function forgive(made) {
  for (const fault of made.querySelectorAll(`.${FAULT}`)) fault.remove();
  for (const control of made.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    describe(
      control,
      described(control).filter((id) => !id.startsWith(FAULT)),
    );
  }
}

function described(control) {
  return control.getAttribute("aria-describedby")?.split(" ") ?? [];
}

function describe(control, ids) {
  if (ids.length) control.setAttribute("aria-describedby", ids.join(" "));
  else control.removeAttribute("aria-describedby");
}
