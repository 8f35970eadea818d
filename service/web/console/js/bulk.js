// One decision for many: counted first, agreed to, and undone as one.

import { call, post, read } from "./api.js";
import { form, open } from "./dialogs.js";
import { choice, field, fill, h } from "./dom.js";
import { typed } from "./filters.js";
import { count, DECIDED, DECISIONS } from "./format.js";
import { failed, toast } from "./notices.js";

const POLL_MS = 500;

/** Ask which decision all that the filter matches shall get. */
export async function decideAll(filter) {
  const body = (values) => ({
    filter: typed(filter),
    decision: values.decision,
    reason: values.reason,
  });
  const reason = h("input", {
    name: "reason",
    required: true,
    maxlength: "2000",
    autocomplete: "off",
    dir: "auto",
  });
  const dialog = open("Decide all that match", (close) =>
    form(
      [
        h(
          "p",
          {},
          "First you learn how many cases there are; nothing is decided before you agree.",
        ),
        field("Decision", choice(Object.entries(DECISIONS), "block", { name: "decision" })),
        field("Reason", reason),
      ],
      async (values) => {
        const { count: expected } = await post("/v1/reviews/bulk", body(values));
        dialog.close();
        agree({ ...body(values), expected });
      },
      [
        h("button", { class: "main" }, "Count them"),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
}

function agree(order) {
  const dialog = open("Decide all that match", (close) =>
    form(
      [h("p", {}, `${DECISIONS[order.decision]}: ${count(order.expected)} cases.`)],
      async () => {
        const { id } = await post("/v1/reviews/bulk", order);
        dialog.close();
        follow(id, order);
      },
      [
        h(
          "button",
          { class: "main", disabled: !order.expected },
          `${DECISIONS[order.decision]} ${count(order.expected)}`,
        ),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
}

async function follow(id, { decision }) {
  const text = h("span");
  const undo = h("button", { type: "button" }, "Undo all");
  const undone = new AbortController();
  const put = toast("", { seconds: 0, actions: [text, undo] });
  undo.addEventListener("click", () => {
    put();
    undone.abort();
    call("DELETE", `/v1/reviews/bulk/${id}`).then(() => toast("Undone."), failed);
  });
  try {
    while (!undone.signal.aborted) {
      const state = await read(`/v1/reviews/bulk/${id}`);
      fill(
        text,
        `${DECIDED[decision]}: ${count(state.count)} cases, ${count(state.skipped.length)} left out.`,
      );
      if (Date.parse(state.undo_until) < Date.now()) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    undo.remove();
    setTimeout(put, 4_000);
  } catch (problem) {
    put();
    failed(problem);
  }
}
