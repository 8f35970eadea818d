// The public API, and nothing but it: what the console does, any other client can do.

import { signOut, tokenFor } from "./session.js";

const PICTURES = 48;
const pictures = new Map();

/** A refusal of the API: `code` is stable, `message` is for people, `body` has the rest. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `the service answered ${status}`);
    this.status = status;
    this.code = body.code ?? "unknown";
    this.body = body;
  }
}

/**
 * Make a call; gives {status, data, etag, date} (the service's clock, ms).  `query` leaves out empty values; a `body` that is no
 * text is sent as JSON.  Throws Problem.
 */
export async function call(method, path, { query, body, type, etag, signal, keepalive } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = type ?? "application/json";
  if (etag) headers["If-Match"] = etag;
  const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const answer = await ask(method, path + spelt(query), { headers, body: sent, signal, keepalive });
  const json = /json/.test(answer.headers.get("Content-Type") ?? "");
  const data = answer.status === 204 ? null : json ? await answer.json() : await answer.text();
  const date = Date.parse(answer.headers.get("Date"));
  return { status: answer.status, data, etag: answer.headers.get("ETag"), date };
}

/** Read something. */
export async function read(path, query, signal) {
  return (await call("GET", path, { query, signal })).data;
}

/** Do something. */
export async function post(path, body, query) {
  return (await call("POST", path, { body: body ?? {}, query })).data;
}

/** Fetch a file and hand it to the person. */
export async function download(path, query, name) {
  const blob = await (await ask("GET", path + spelt(query), {})).blob();
  const address = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(address);
}

/** Give the address of a picture in this page; the last few dozen are kept. */
export function picture(path) {
  const known = pictures.get(path);
  pictures.delete(path);
  const found = known ?? fetched(path, "default");
  pictures.set(path, found);
  found.catch(() => pictures.delete(path));
  if (pictures.size > PICTURES) forgetOldest();
  return found;
}

/** Give the address of a picture that nothing may keep: each look is the service's to count. */
export function lookAt(path) {
  return fetched(path, "no-store");
}

function forgetOldest() {
  const [path, oldest] = pictures.entries().next().value;
  pictures.delete(path);
  oldest.then(URL.revokeObjectURL, () => undefined);
}

async function fetched(path, cache) {
  const answer = await ask("GET", path, { cache });
  return URL.createObjectURL(await answer.blob());
}

async function ask(method, path, options) {
  const token = tokenFor(method, path);
  if (!token)
    throw new Problem(401, { code: "token_missing", detail: "nobody signed in may do this" });
  const headers = { ...options.headers, Authorization: `Bearer ${token}` };
  const answer = await fetch(path, { ...options, method, headers });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  if (body.code === "token_invalid") {
    signOut();
    location.assign("/console/");
  }
  throw new Problem(answer.status, body);
}

function spelt(query) {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== "" && value != null);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}
