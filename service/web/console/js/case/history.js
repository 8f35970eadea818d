// What happened to an upload: its attempts, decisions, comments and callbacks, in order of time.

import { post, read } from "../api.js";
import { form } from "../dialogs.js";
import { field, h, said } from "../dom.js";
import { DECIDED, exactly, moment, money, words } from "../format.js";
import { is } from "../session.js";

/** Show the history; `commented` is called once a comment is kept. */
export function history(review, callbacks, commented) {
  const events = [...told(review), ...callbacks.map(calledBack)].sort((one, two) =>
    one.at.localeCompare(two.at),
  );
  return h(
    "section",
    { class: "stack", "aria-label": "History" },
    h("h2", {}, "History"),
    h(
      "ol",
      { class: "plain history" },
      events.map(({ at, text, detail }) =>
        h(
          "li",
          {},
          h(
            "div",
            { class: "row apart" },
            h("strong", {}, text),
            h("span", { class: "quiet small" }, moment(at)),
          ),
          detail && h("p", { class: "small wrap", dir: "auto" }, detail),
        ),
      ),
    ),
    is("moderator") && comments(review.upload.id, commented),
    facts(review.upload),
  );
}

/** Read an upload's callbacks, where an administrator is signed in too. */
export async function callbacksOf(id, signal) {
  if (!is("admin")) return [];
  const { items } = await read("/v1/callbacks", { upload: id }, signal);
  return items;
}

function told({ upload, decisions, comments: spoken, reveals }) {
  const one = (at, text, detail) => ({ at, text, detail });
  return [
    one(
      upload.received_at,
      "Received",
      `${upload.platform}${upload.external_id ? `, ${upload.external_id}` : ""}`,
    ),
    ...upload.attempts.map((attempt) =>
      one(
        attempt.started_at,
        `Attempt ${attempt.attempt}: ${words(attempt.outcome ?? "under way")}`,
        `${attempt.upstream}, ${attempt.model}, ${money(attempt.cost_microusd)}${attempt.detail ? `. ${attempt.detail}` : ""}`,
      ),
    ),
    upload.finished_at &&
      one(
        upload.finished_at,
        `Ended: ${words(upload.outcome)}`,
        reveals ? `The original was revealed ${reveals} times since.` : null,
      ),
    ...decisions.map((made) =>
      one(
        made.decided_at,
        `${DECIDED[made.decision]}${made.undone_at ? ", then undone" : ""}`,
        [person(made), made.reason].filter(Boolean).join(": "),
      ),
    ),
    ...spoken.map((comment) =>
      one(comment.at, "Comment", [person(comment), comment.text].filter(Boolean).join(": ")),
    ),
  ].filter(Boolean);
}

/** Name who did something. */
export function person(made) {
  return (made.actor ?? made.person).name ?? "somebody";
}

function calledBack(one) {
  return {
    at: one.created_at,
    text: `Callback ${one.type}`,
    detail: one.endpoints.map((job) => words(job.state)).join(", "),
  };
}

function comments(id, commented) {
  const text = h("textarea", {
    id: "comment",
    name: "text",
    rows: "2",
    required: true,
    maxlength: "2000",
    dir: "auto",
  });
  const done = async (values) => {
    await post(`/v1/reviews/${id}/comments`, { text: values.text });
    await commented();
  };
  return form([field("Comment for colleagues", text)], done, [h("button", {}, "Add comment")]);
}

function facts(upload) {
  const pairs = [
    ["Upload", upload.id],
    ["Platform", upload.platform],
    ["Their id", upload.external_id ?? "—"],
    ["Ruleset", `${upload.ruleset.name}, version ${upload.ruleset.version}`],
    ["Received", exactly(upload.received_at)],
    ["Edit", upload.proof ? words(upload.proof.verdict) : "—"],
  ];
  return h(
    "details",
    {},
    h("summary", {}, "Facts"),
    h(
      "dl",
      { class: "pairs" },
      pairs.map(([term, value]) => [h("dt", {}, term), h("dd", { class: "wrap" }, said(value))]),
    ),
  );
}
