// One queue: what waits in it, as a list or a grid; one at a time is the case page.

import { read } from "../api.js";
import { shown, view, views } from "../cases.js";
import { fill, h, link } from "../dom.js";
import { duration } from "../format.js";
import { bind } from "../keys.js";
import { failed } from "../notices.js";
import { address, go, heading, page } from "../router.js";
import { is } from "../session.js";
import { pending } from "./queues.js";

const VIEWS = ["list", "grid"];
const PAGE = 24;

page(/^queue\/([^/]+)$/, async (main, [name], signal) => {
  const one = encodeURIComponent(name);
  const [queue, first] = await Promise.all([
    read(`/v1/queues/${one}`, {}, signal),
    read(`/v1/queues/${one}/cases`, { limit: PAGE }, signal),
  ]);
  const start = address("case", { queue: name });
  if (is("moderator")) bind("s", "start reviewing", () => go(start), signal);
  fill(
    main,
    heading(queue.title, views(view(VIEWS), VIEWS)),
    h(
      "div",
      { class: "row" },
      is("moderator") &&
        link(start, { class: "button main" }, "Start reviewing", h("kbd", {}, "s")),
      h(
        "span",
        { class: "quiet" },
        `${pending(queue)} waiting${queue.oldest_s === null ? "" : `, the oldest for ${duration(queue.oldest_s)}`}`,
      ),
    ),
    listed(queue, first, (cursor) =>
      read(`/v1/queues/${one}/cases`, { limit: PAGE, cursor }, signal),
    ),
  );
});

function listed(queue, first, next) {
  const frame = h("div", { class: "stack" });
  const more = h("button", { type: "button" }, "More");
  let cursor = first.next;
  const add = (found) => {
    const leases = new Map(found.items.map(({ case: upload, lease }) => [upload.id, lease]));
    more.before(
      shown(
        found.items.map((item) => item.case),
        {
          view: view(VIEWS),
          blur: queue.blur,
          within: { queue: queue.name },
          extra: (upload) => held(leases.get(upload.id)),
        },
      ),
    );
    cursor = found.next;
    more.hidden = cursor === null;
  };
  more.addEventListener("click", () => next(cursor).then(add, failed));
  fill(frame, more);
  add(first);
  if (!first.items.length) return h("p", { class: "panel" }, "Nothing waits here. Well done.");
  return frame;
}

function held(lease) {
  return (
    lease &&
    h(
      "p",
      { class: "small" },
      h("span", { class: "mark warn" }, "open"),
      ` with ${lease.holder.name ?? "somebody"}`,
    )
  );
}
