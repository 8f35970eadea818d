// A moderator's desk: the case in hand and those that come next, leased, with their pictures
// already here, so that the next case is shown at once.

import { call, picture, post } from "../api.js";
import { is } from "../session.js";

const AHEAD = 2;
const RENEW_MS = 60_000;
const ACTIVE_MS = 240_000;

const ready = new Map();
const held = new Set();
// What we decided or put away may still stand in an answer that was on its way.
const gone = new Set();
let ahead = [];
let filling = null;
let active = Date.now();

for (const kind of ["keydown", "pointerdown", "wheel"]) {
  addEventListener(kind, () => (active = Date.now()), { passive: true });
}
addEventListener("console:moved", ({ detail }) => {
  if (!/^case/.test(detail)) release();
});
addEventListener("pagehide", release);

/** Lease the next case of a queue, and fetch what follows; null if nothing waits. */
export async function next(queue) {
  // Two questions at once would each find what the other has not leased yet, and no more.
  await filling?.catch(() => undefined);
  return ask(queue);
}

/** Fetch what follows while somebody looks at a case. */
export function refill(queue) {
  filling ??= ask(queue).finally(() => (filling = null));
  return filling;
}

async function ask(queue) {
  const { status, data } = await call("POST", "/v1/reviews/next", {
    body: queue ? { queue } : {},
    query: { prefetch: AHEAD },
  });
  if (status === 204) return null;
  ahead = [data, ...data.following].map((item) => ({ ...item, queue: data.queue }));
  for (const item of ahead) keep(item);
  return ahead[0];
}

/** Tell which case comes next, if that is known already. */
export function following(id) {
  const found = ahead.find((item) => item.case.id !== id && !gone.has(item.case.id));
  return found?.case.id ?? null;
}

/** Give a case that `next` brought, once: it is as it was when it was leased. */
export function taken(id) {
  const item = ready.get(id);
  ready.delete(id);
  return item ?? null;
}

/** Note that a case is no longer ours. */
export function drop(id) {
  gone.add(id);
  held.delete(id);
  ready.delete(id);
  ahead = ahead.filter((item) => item.case.id !== id);
}

/** Take or renew the lease of a case; throws `leased_by_other`. */
export async function lease(id) {
  const { data } = await call("POST", `/v1/reviews/${id}/lease`, { body: {} });
  held.add(id);
  gone.delete(id);
  return data;
}

/** Renew a lease for as long as the page is shown and somebody is there. */
export function keepLeased(id, lost, signal) {
  const timer = setInterval(() => {
    if (!held.has(id) || document.hidden || Date.now() - active > ACTIVE_MS) return;
    lease(id).catch(lost);
  }, RENEW_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** Do one of the acts that put a case out of hand: `skip` or `handover`. */
export async function putAway(act, id, body) {
  await post(`/v1/reviews/${id}/${act}`, body);
  drop(id);
}

function keep(item) {
  if (gone.has(item.case.id)) return;
  held.add(item.case.id);
  ready.set(item.case.id, item);
  // The edited picture only: the original is never fetched before it is asked for.
  if (item.case.images.edited) picture(item.case.images.edited).catch(() => undefined);
}

function release() {
  const ids = [...held];
  held.clear();
  ready.clear();
  ahead = [];
  if (!is("moderator")) return;
  for (const id of ids)
    call("DELETE", `/v1/reviews/${id}/lease`, { keepalive: true }).catch(() => undefined);
}
