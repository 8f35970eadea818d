// Dialogs: the browser's own, so that focus stays in them and Escape closes them.

import { fresh, h } from "./dom.js";

/**
 * Open a dialog; gives it.  It is removed once closed, and focus returns to where it was.
 * `content` is given what closes the dialog.
 */
export function open(title, content, props) {
  const id = fresh("dialog");
  const dialog = h("dialog", { "aria-labelledby": id, ...props });
  const back = document.activeElement;
  const close = () => dialog.close();
  dialog.append(
    h("div", { class: "stack" }, h("h2", { id, tabindex: "-1" }, title), content(close)),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (back?.isConnected) back.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Make a form that calls `done` with its values; the refusal of that is said in it. */
export function form(children, done, buttons) {
  const alert = h("p", { class: "notice bad", role: "alert", hidden: true });
  const sent = async (event) => {
    event.preventDefault();
    alert.hidden = true;
    try {
      await done(Object.fromEntries(new FormData(event.target)));
    } catch (problem) {
      alert.textContent = problem.message;
      alert.hidden = false;
    }
  };
  return h(
    "form",
    { class: "stack", onsubmit: sent },
    children,
    alert,
    h("div", { class: "row" }, buttons),
  );
}
