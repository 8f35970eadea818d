// Signing in by a token; a link from `moderation up` does the same without typing.

import { form } from "../dialogs.js";
import { field, fill, h } from "../dom.js";
import { heading } from "../router.js";
import { signIn } from "../session.js";

/** Show the form until somebody has signed in; `refused` tells why a link did not work. */
export function showSignIn(main, refused) {
  document.querySelector("header.bar").hidden = true;
  return new Promise((resolve) => {
    const input = h("input", {
      name: "token",
      type: "password",
      required: true,
      autocomplete: "current-password",
      spellcheck: "false",
    });
    const done = async ({ token }) => resolve(await signIn(token.trim()));
    const button = h("button", { class: "main" }, "Sign in");
    const hint = "An administrator makes one with: moderation tokens create --role moderator";
    fill(
      main,
      h(
        "div",
        { class: "panel stack signin" },
        heading("Sign in"),
        refused && h("p", { class: "notice bad", role: "alert" }, refused),
        form([field("Token", input, hint)], done, [button]),
      ),
    );
    input.focus();
  });
}
