// Records: every filter of the API, one address a search.

import { download, read } from "../api.js";
import { decideAll } from "../bulk.js";
import { shown, view, views } from "../cases.js";
import { fill, h, link } from "../dom.js";
import { chosen, controls } from "../filters.js";
import { count } from "../format.js";
import { failed } from "../notices.js";
import { address, go, heading, page, query } from "../router.js";
import { savedViews } from "../saved.js";
import { is } from "../session.js";

const VIEWS = ["list", "grid"];
const PAGE = 24;

page(/^records$/, async (main, _, signal) => {
  const wanted = filters(query());
  const results = h("section", { class: "stack", "aria-label": "Results" });
  const search = (values) => go(address("records", { ...values, view: query().view }));
  fill(
    main,
    heading("Records", views(view(VIEWS), VIEWS)),
    savedViews(wanted, search, signal),
    controls(wanted, search),
    results,
  );
  await find(results, wanted, signal);
});

/** Keep what of a query is a filter or the order. */
function filters(given) {
  return given.order ? { ...chosen(given), order: given.order } : chosen(given);
}

async function find(results, wanted, signal) {
  const more = h("button", { type: "button" }, "More");
  let cursor = null;
  const fetchPage = async () => {
    const found = await read("/v1/records", { ...wanted, cursor, limit: PAGE }, signal);
    more.before(shown(found.items, { view: view(VIEWS), blur: "always" }));
    cursor = found.next;
    more.hidden = cursor === null;
    return found;
  };
  more.addEventListener("click", () => fetchPage().catch(failed));
  const total = h("p", { class: "quiet", role: "status" });
  fill(
    results,
    h(
      "div",
      { class: "row apart" },
      total,
      h("div", { class: "row" }, exports(wanted), bulk(wanted), queue(wanted)),
    ),
    more,
  );
  try {
    const first = await fetchPage();
    if (!first.items.length) more.before(h("p", { class: "panel" }, "Nothing matches."));
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    // A filter that cannot be is told beside the filters, which stay as they were.
    fill(
      results,
      h("p", { class: "notice bad wrap", role: "alert", dir: "auto" }, problem.message),
    );
    return;
  }
  const { order, ...counted } = wanted;
  const summary = await read("/v1/records/summary", { ...counted, by: "outcome" }, signal).catch(
    () => null,
  );
  if (summary)
    total.textContent = `${summary.exact === false ? "At least " : ""}${count(summary.total)} found`;
}

function exports(wanted) {
  return ["csv", "jsonl"].map((format) =>
    h(
      "button",
      {
        type: "button",
        onclick: () =>
          download("/v1/records/export", { ...wanted, format }, `records.${format}`).catch(failed),
      },
      `Export ${format.toUpperCase()}`,
    ),
  );
}

function queue(wanted) {
  if (!is("policy", "admin")) return null;
  return link(address("queues/new", wanted), { class: "button" }, "Make it a queue");
}

function bulk({ order, ...filter }) {
  if (!is("moderator")) return null;
  return h(
    "button",
    { type: "button", onclick: () => decideAll(filter).catch(failed) },
    "Decide all…",
  );
}
