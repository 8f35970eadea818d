// The prompt as it is sent, what of a context it takes, and what images cost.

import { h, said } from "../dom.js";
import { count, money } from "../format.js";

/** Show a version's prompt with its size and price. */
export function prompt(view) {
  return [
    h(
      "p",
      {},
      `About ${count(view.tokens)} tokens, ${count(view.chars)} characters. The same bytes are sent with every picture.`,
    ),
    prices(view.upstreams),
    h(
      "pre",
      { class: "prompt", tabindex: "0", role: "region", "aria-label": "Prompt", dir: "auto" },
      view.prompt,
    ),
    h("p", { class: "quiet small wrap mono" }, `sha256 ${view.sha256}`),
  ];
}

/** Show what judging costs with each upstream. */
export function prices(upstreams) {
  const months = upstreams[0]?.monthly.map(({ images }) => images) ?? [];
  const head = [
    "Upstream",
    "Model",
    "Context",
    "An image",
    ...months.map((images) => `${count(images)} images`),
  ];
  const row = (one) => [
    said(one.upstream),
    said(one.model),
    one.misfit
      ? h("span", { class: "mark bad wrap" }, one.misfit)
      : one.context_share === null
        ? "unknown"
        : `${(100 * one.context_share).toFixed(1)} %`,
    money(one.price_microusd),
    ...one.monthly.map(({ microusd }) => money(microusd)),
  ];
  return h(
    "div",
    { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Prices" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((text, index) =>
            h("th", { scope: "col", class: index > 1 ? "numeric" : null }, text),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        upstreams.map((one) =>
          h(
            "tr",
            {},
            row(one).map((cell, index) => h("td", { class: index > 1 ? "numeric" : null }, cell)),
          ),
        ),
      ),
    ),
  );
}
