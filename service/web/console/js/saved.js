// Saved views: filters with a name, kept by the service, so that they follow a person and a team.

import { call, post, read } from "./api.js";
import { form, open } from "./dialogs.js";
import { choice, field, fill, h } from "./dom.js";
import { spelt, typed } from "./filters.js";
import { failed, toast } from "./notices.js";

/** Show the saved views, and the way to save what is searched for now. */
export function savedViews(wanted, search, signal) {
  const row = h("div", { class: "row saved" });
  const show = async () => {
    const { items } = await read("/v1/views", {}, signal);
    const chosen = items.find((one) => same(asked(one), wanted));
    const pick = choice(
      [["", "Saved views"], ...items.map((one) => [one.id, one.name])],
      chosen?.id ?? "",
      { "aria-label": "Saved view", dir: "auto" },
    );
    pick.addEventListener("change", () => {
      const found = items.find((one) => one.id === pick.value);
      if (found) search(asked(found));
    });
    const save = h(
      "button",
      { type: "button", onclick: () => ask(wanted, show) },
      "Save this view",
    );
    const drop =
      chosen &&
      h(
        "button",
        { type: "button", onclick: () => remove(chosen).then(show, failed) },
        "Delete view",
      );
    fill(row, pick, save, drop);
  };
  show().catch(() => undefined);
  return row;
}

/** Give a view as a search has it: filters, and the order where it is not the usual one. */
export function asked(one) {
  const filter = spelt(one.filter);
  return one.order && one.order !== "newest" ? { ...filter, order: one.order } : filter;
}

function same(one, other) {
  const sorted = (values) => JSON.stringify(Object.entries(values).sort());
  return sorted(one) === sorted(other);
}

function ask({ order, ...filter }, saved) {
  const name = h("input", {
    name: "name",
    required: true,
    maxlength: "100",
    autocomplete: "off",
    dir: "auto",
  });
  const dialog = open("Save this view", (close) =>
    form(
      [
        field("Name", name),
        h(
          "label",
          { class: "check" },
          h("input", { type: "checkbox", name: "shared", checked: true }),
          "For the whole team",
        ),
      ],
      async (values) => {
        await post("/v1/views", {
          name: values.name,
          filter: typed(filter),
          order: order ?? "newest",
          shared: "shared" in values,
        });
        dialog.close();
        toast("Saved.");
        await saved();
      },
      [
        h("button", { class: "main" }, "Save"),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
  name.focus();
}

async function remove(one) {
  const { etag } = await call("GET", `/v1/views/${one.id}`);
  await call("DELETE", `/v1/views/${one.id}`, { etag });
  toast("Deleted.");
}
