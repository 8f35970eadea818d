// One case: the description first, then the edited picture, covered; the original only for a reason.

import { call, read } from "../api.js";
import { covered, summary } from "../cases.js";
import { bar, KEYS } from "../case/bar.js";
import { conflict, isConflict } from "../case/conflicts.js";
import * as desk from "../case/desk.js";
import { findings, warnings } from "../case/findings.js";
import { callbacksOf, history } from "../case/history.js";
import { askToReveal } from "../case/reveal.js";
import { offer } from "../case/undo.js";
import "../case/viewer.js";
import { fill, h, link, said } from "../dom.js";
import { DECISIONS, mark, severity, worst } from "../format.js";
import { bind } from "../keys.js";
import { failed } from "../notices.js";
import { address, become, go, heading, page, query, render } from "../router.js";
import { is } from "../session.js";

page(/^case$/, async (main, _, signal) => {
  const { queue } = query();
  const found = await desk.next(queue);
  if (signal.aborted) return;
  if (found) {
    become(address(`case/${found.case.id}`, { queue }));
    await show(main, found.case.id, signal);
  } else {
    const back = link(
      address(queue ? `queue/${queue}` : ""),
      { class: "button" },
      "Back to the queue",
    );
    fill(
      main,
      heading("Nothing waits"),
      h("p", {}, "Every case of this queue is decided or open with a colleague."),
      h("div", { class: "row" }, back),
    );
  }
});

page(/^case\/([0-9a-f-]{36})$/, (main, [id], signal) => show(main, id, signal));

async function show(main, id, signal) {
  const known = desk.taken(id);
  const [found, queue] = known
    ? [{ upload: known.case, revision: known.case.review.revision }, known.queue]
    : await Promise.all([reviewed(id, signal), queueNamed(query().queue, signal)]);
  if (signal.aborted) return;
  if (!found) {
    const text = "Its pictures and description are gone; what was decided is in the audit trail.";
    fill(main, heading("This upload was deleted"), h("p", { class: "panel" }, text));
    return;
  }
  const one = new Case(main, found, queue, signal);
  one.draw();
  if (!known && is("moderator")) desk.lease(id).catch((problem) => one.refused(problem));
  desk.keepLeased(id, (problem) => one.refused(problem), signal);
  // What follows, and what happened before, is fetched once the case is on the screen.
  requestAnimationFrame(() => {
    const { queue: name } = query();
    if (name && is("moderator")) desk.refill(name).catch(failed);
    one.tellHistory().catch(failed);
  });
}

/** Read a case; null if its upload was deleted. */
async function reviewed(id, signal) {
  try {
    return await read(`/v1/reviews/${id}`, {}, signal);
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    const upload = await read(`/v1/uploads/${id}`, {}, signal).catch(() => null);
    if (upload?.state !== "deleted") throw problem;
    return null;
  }
}

async function queueNamed(name, signal) {
  return name ? read(`/v1/queues/${encodeURIComponent(name)}`, {}, signal) : null;
}

class Case {
  constructor(main, found, queue, signal) {
    Object.assign(this, { main, queue, signal, upload: found.upload, revision: found.revision });
    this.busy = false;
    this.notices = h("div", { class: "stack" });
    this.past = h("div", { class: "panel" });
    this.viewer = document.createElement("case-viewer");
    this.findings = findings(this.upload, this.viewer);
    this.bar = bar(
      this.upload,
      queue?.reason_required ?? [],
      (...one) => this.decide(...one),
      () => this.putAway("skip"),
    );
  }

  draw() {
    const { upload } = this;
    const level = worst(upload.description);
    const state = h(
      "div",
      { class: "row" },
      severity(level),
      mark(upload.verdict),
      mark(upload.outcome),
      upload.decision && mark(upload.decision),
    );
    const told = h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "panel stack" },
        state,
        h("p", { class: "summary wrap" }, said(summary(upload))),
        warnings(upload),
      ),
      h("div", { class: "panel" }, this.findings.element),
    );
    const name = upload.external_id ? `Case ${upload.external_id}` : `Case ${upload.id.slice(-12)}`;
    const queue =
      this.queue && link(address(`queue/${this.queue.name}`), { dir: "auto" }, this.queue.title);
    fill(
      this.main,
      heading(name, queue),
      this.notices,
      h(
        "div",
        { class: "case" },
        told,
        h("div", { class: "panel picture" }, this.viewer),
        this.past,
      ),
      is("moderator") && this.bar.element,
    );
    this.viewer.show(upload, {
      cover: covered(this.queue?.blur ?? "always", level),
      reveal: () => this.reveal(),
    });
    this.bindKeys();
  }

  bindKeys() {
    const key = (name, text, act) => bind(name, text, act, this.signal);
    if (is("moderator")) {
      for (const [decision, name] of Object.entries(KEYS))
        key(name, DECISIONS[decision].toLowerCase(), () => this.bar.choose(decision));
      key("s", "skip: not offered to you for an hour", () => this.putAway("skip"));
      key("n", "next case", () => this.onward());
      key("o", "show the original, for a reason", () => this.reveal());
      key("c", "write a comment", () => document.querySelector("#comment")?.focus());
    }
    key("v", "uncover or cover the edited picture", () => this.viewer.toggleCover());
    key("r", "draw the regions of all findings", () => this.viewer.toggleRegions());
    key("j", "next finding", () => this.findings.step(1));
    key("k", "finding before", () => this.findings.step(-1));
    key("+", "zoom in", () => this.viewer.zoomBy(1));
    key("-", "zoom out", () => this.viewer.zoomBy(-1));
    key("0", "whole picture", () => this.viewer.zoomBy(0));
    ["edited", "original", "beside", "slider"].forEach((mode, index) => {
      key(String(index + 1), `picture: ${mode}`, () => this.viewer.choose(mode));
    });
  }

  async decide(decision, reason) {
    if (this.busy) return;
    this.setBusy(true);
    const { id } = this.upload;
    try {
      const body = { decision, reason };
      const made = await call("POST", `/v1/reviews/${id}/decision`, {
        body,
        etag: `"${this.revision}"`,
      });
      const seconds = (Date.parse(made.data.undo_until) - made.date) / 1000;
      offer(id, decision, seconds, location.pathname + location.search);
      const then = desk.following(id);
      desk.drop(id);
      await this.onward(then);
    } catch (problem) {
      this.setBusy(false);
      if (problem.code === "reason_required") this.bar.needReason(decision);
      else this.refused(problem);
    }
  }

  /** Go to the next case; without a queue, back to where one came from. */
  onward(then = desk.following(this.upload.id)) {
    const { queue } = query();
    if (then) return go(address(`case/${then}`, { queue }));
    return go(address(queue ? "case" : "records", { queue }));
  }

  async putAway(act) {
    if (this.busy) return;
    this.setBusy(true);
    try {
      const then = desk.following(this.upload.id);
      await desk.putAway(act, this.upload.id);
      await this.onward(then);
    } catch (problem) {
      this.setBusy(false);
      this.refused(problem);
    }
  }

  reveal() {
    if (!is("moderator") || !this.upload.images.original) return;
    askToReveal(
      this.upload,
      (image, until) => this.viewer.open(image, until),
      (act) => this.putAway(act),
    );
  }

  refused(problem) {
    if (this.signal.aborted) return;
    if (isConflict(problem))
      fill(
        this.notices,
        conflict(
          problem,
          () => render(),
          () => this.onward(),
        ),
      );
    else failed(problem);
  }

  async tellHistory() {
    const { id } = this.upload;
    const [review, callbacks] = await Promise.all([
      read(`/v1/reviews/${id}`, {}, this.signal),
      callbacksOf(id, this.signal),
    ]);
    if (this.signal.aborted) return;
    fill(
      this.past,
      history(review, callbacks, async () => {
        const { revision } = await read(`/v1/reviews/${id}`, {}, this.signal);
        this.revision = revision;
        await this.tellHistory();
      }),
    );
  }

  setBusy(busy) {
    this.busy = busy;
    this.bar.busy(busy);
  }
}
