// Removing a queue: asked once more, and only as it was seen.

import { call } from "../api.js";
import { form, open } from "../dialogs.js";
import { h, said } from "../dom.js";
import { toast } from "../notices.js";
import { address, go } from "../router.js";

/** Ask whether a queue is to go. */
export function askToRemove(queue, etag) {
  const dialog = open("Remove this queue", (close) =>
    form(
      [h("p", {}, said(queue.title), ": what waits in it stays in every other queue it fits.")],
      async () => {
        await call("DELETE", `/v1/queues/${queue.name}`, { etag });
        dialog.close();
        toast("The queue is removed.");
        await go(address(""));
      },
      [
        h("button", { class: "main" }, "Remove"),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ],
    ),
  );
}
