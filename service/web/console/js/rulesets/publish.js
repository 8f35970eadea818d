// Publishing: one step, by another person where the ruleset asks for it, over failed examples only
// with a reason.

import { call } from "../api.js";
import { form, open } from "../dialogs.js";
import { field, h } from "../dom.js";
import { toast } from "../notices.js";
import { render } from "../router.js";

/** Ask whether a version is to go live. */
export function askToPublish(one, failedExamples = null) {
  const reason = h("input", {
    name: "reason",
    maxlength: "2000",
    required: failedExamples !== null,
    autocomplete: "off",
    dir: "auto",
  });
  const live = one.ruleset.live_version;
  const dialog = open(`Publish version ${one.number}`, (close) =>
    form(
      [
        failedExamples && h("p", { class: "notice warn" }, failedExamples),
        h(
          "p",
          {},
          live
            ? `It takes the place of version ${live} for every upload from now on.`
            : "Uploads can name this ruleset from now on.",
        ),
        field(failedExamples ? "Why it goes live all the same" : "Why (may stay empty)", reason),
      ],
      async (values) => {
        const body = { reason: values.reason || null, override: failedExamples !== null };
        try {
          await call("POST", `${one.path}/publish`, { body, etag: one.etag });
        } catch (problem) {
          if (problem.code !== "examples_failed" || failedExamples) throw problem;
          dialog.close();
          askToPublish(one, problem.message);
          return;
        }
        dialog.close();
        toast(`Version ${one.number} is live.`);
        await render();
      },
      [
        h("button", { class: "main" }, "Publish"),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
  reason.focus();
}
