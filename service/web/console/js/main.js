// Begins: settings, sign-in link, shell, pages, keys.

import { openGuide } from "./guide.js";
import { bind, listen } from "./keys.js";
import { mount } from "./notices.js";
import { openPalette } from "./palette.js";
import "./pages/arranging.js";
import "./pages/case.js";
import "./pages/dashboard.js";
import "./pages/queue.js";
import "./pages/queues.js";
import "./pages/records.js";
import "./pages/ruleset.js";
import "./pages/rulesets.js";
import "./pages/version.js";
import { showSignIn } from "./pages/signin.js";
import { start } from "./router.js";
import { fromAddress, is, signIn, STAFF } from "./session.js";
import { apply } from "./settings.js";
import { build } from "./shell.js";

async function begin() {
  apply();
  const link = fromAddress();
  const main = build(document.body);
  mount(document.body);
  listen();
  bind("?", "open this guide", openGuide);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    openPalette();
  });
  // Whoever follows a link where the console is open already changes the address only.
  addEventListener("hashchange", async () => {
    const another = fromAddress();
    if (another && (await taken(another)) === null) location.reload();
  });
  const refused = link ? await taken(link) : null;
  if (!is(...STAFF)) await showSignIn(main, refused);
  dispatchEvent(new Event("console:signed-in"));
  await start(main);
}

/** Sign in by a link's tokens; gives why that failed, null if it did not. */
async function taken(tokens) {
  // A link that somebody else sent must not make one work in another's name unawares.
  if (is(...STAFF) && !confirm("You are signed in here already. Sign in by this link instead?"))
    return null;
  const all = await Promise.allSettled(tokens.map(signIn));
  return all.find((one) => one.status === "rejected")?.reason.message ?? null;
}

begin();
