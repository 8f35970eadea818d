// A queue's settings: a new queue, of what was searched for or of nothing yet, and one that is there.

import { call, read } from "../api.js";
import { fill, h } from "../dom.js";
import { chosen } from "../filters.js";
import { toast } from "../notices.js";
import { settings } from "../queues/form.js";
import { askToRemove } from "../queues/remove.js";
import { address, go, heading, page, query } from "../router.js";
import { is } from "../session.js";

const KEPT = "held";
const NEW = { title: "", reason_required: [], blur: "always", sla_s: null, max_severity: null };

page(/^queues\/new$/, async (main, _, signal) => {
  const given = query();
  const queue = { ...NEW, filter: chosen(given), order: given.order ?? "severity" };
  const save = async (body) => {
    await call("POST", "/v1/queues", { body });
    toast("The queue is made.");
    await go(address(`queue/${body.name}`));
  };
  fill(main, heading("New queue"), settings(queue, await views(signal), save));
});

page(/^queue\/([^/]+)\/settings$/, async (main, [name], signal) => {
  const path = `/v1/queues/${encodeURIComponent(name)}`;
  const [{ data: queue, etag }, kept] = await Promise.all([
    call("GET", path, { signal }),
    views(signal),
  ]);
  const save = async (body) => {
    await call("PATCH", path, { body, etag }).catch((problem) => {
      if (problem.code === "queue_changed") problem.message = CHANGED;
      throw problem;
    });
    toast("The settings are kept.");
    await go(address(`queue/${name}`));
  };
  const remove =
    name !== KEPT &&
    h("button", { type: "button", onclick: () => askToRemove(queue, etag) }, "Remove this queue…");
  fill(main, heading(`Settings of ${queue.title}`, remove), settings(queue, kept, save));
});

const CHANGED =
  "Somebody changed this queue after you opened it. Load the page again to see it as it is now.";

/** Read the saved views, which policy staff have none of. */
async function views(signal) {
  return is("moderator", "admin") ? (await read("/v1/views", {}, signal)).items : [];
}
