// Who is signed in.  Tokens live as long as the tab does, and go nowhere but into the header of
// calls to this very origin.  There is no cookie, so no other site can make us act.

export const STAFF = ["moderator", "policy", "admin"];
const KEPT = "moderation.tokens";

/** Who may make a call, the most fitting first; the API decides, this only chooses the token. */
const MAY = [
  [/^\/v1\/me$/, STAFF],
  [/^\/v1\/(reviews|uploads|me\/exposure)/, ["moderator", "admin"]],
  [/^\/v1\/(records|views)/, ["moderator", "admin"]],
  [/^\/v1\/queues/, ["moderator", "policy", "admin"], ["admin", "policy"]],
  [/^\/v1\/rulesets/, ["policy", "moderator", "admin"], ["policy"]],
  [/^\/v1\//, ["admin"]],
];

/** Give the tokens by role. */
export function tokens() {
  return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
}

/** Choose the token for a call; undefined if none of ours may make it. */
export function tokenFor(method, path) {
  const [, reading, writing] = MAY.find(([pattern]) => pattern.test(path)) ?? [null, STAFF];
  const roles = method === "GET" ? reading : (writing ?? reading);
  const held = tokens();
  return held[roles.find((role) => role in held)];
}

/** Tell whether one of these roles is signed in. */
export function is(...roles) {
  const held = tokens();
  return roles.some((role) => role in held);
}

/** Take a sign-in link's tokens out of the address; gives them, null if there is none. */
export function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = ["token", ...STAFF].map((name) => given.get(name)).filter(Boolean);
  if (!found.length) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return found;
}

/** Ask who a token is of, and keep it by its role; throws with the reason if that fails. */
export async function signIn(token) {
  const answer = await fetch("/v1/me", { headers: { Authorization: `Bearer ${token}` } });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail ?? "this token was not accepted");
  if (!STAFF.includes(told.role)) {
    throw new Error(`a ${told.role} token is for programs; the console needs a person's`);
  }
  sessionStorage.setItem(KEPT, JSON.stringify({ ...tokens(), [told.role]: token }));
  return told;
}

/** Forget every token. */
export function signOut() {
  sessionStorage.removeItem(KEPT);
}
