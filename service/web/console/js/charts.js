// Bars drawn by hand, each with the same numbers as a table behind it.

import { h, s, said } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 160;
const GAP = 0.25;

/** Show [label, number] pairs as upright bars; `spell` writes a number. */
export function bars(title, pairs, spell) {
  const most = Math.max(1, ...pairs.map(([, value]) => value));
  const step = WIDTH / Math.max(1, pairs.length);
  const drawn = pairs.map(([label, value], index) => {
    const height = (HEIGHT * value) / most;
    const bar = {
      x: (index + GAP / 2) * step,
      y: HEIGHT - height,
      width: step * (1 - GAP),
      height,
      rx: 2,
    };
    return s("rect", bar, s("title", {}, `${label}: ${spell(value)}`));
  });
  const picture = s(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      class: "bars",
      "aria-hidden": "true",
      preserveAspectRatio: "none",
    },
    s("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }),
    drawn,
  );
  const ends =
    pairs.length > 1 &&
    h(
      "div",
      { class: "row apart quiet small" },
      h("span", {}, pairs[0][0]),
      h("span", {}, `most: ${spell(most)}`),
      h("span", {}, pairs.at(-1)[0]),
    );
  return figure(title, pairs.length ? [picture, ends] : null, table(title, pairs, spell));
}

/** Show [label, number] pairs as lying bars with their words; they are their own table. */
export function ranks(title, pairs, spell) {
  const most = Math.max(1, ...pairs.map(([, value]) => value));
  const rows = pairs.map(([label, value]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "wrap" }, said(label)),
      h(
        "td",
        { class: "rank" },
        s(
          "svg",
          {
            viewBox: "0 0 100 10",
            class: "bars",
            "aria-hidden": "true",
            preserveAspectRatio: "none",
          },
          s("rect", { x: 0, y: 0, width: (100 * value) / most, height: 10 }),
        ),
      ),
      h("td", { class: "numeric" }, spell(value)),
    ),
  );
  const content = h("table", { class: "ranks", "aria-label": title }, h("tbody", {}, rows));
  return figure(title, pairs.length ? content : null, null);
}

/** Show one number large, with what it means. */
export function figureOf(title, number, meaning) {
  return h(
    "div",
    { class: "panel number" },
    h("h2", {}, title),
    h("p", { class: "large" }, number),
    meaning && h("p", { class: "quiet small" }, meaning),
  );
}

function figure(title, content, behind) {
  return h(
    "section",
    { class: "panel stack" },
    h("h2", {}, title),
    content ?? h("p", { class: "quiet" }, "Nothing yet."),
    content && behind && h("details", {}, h("summary", {}, "As a table"), behind),
  );
}

function table(title, pairs, spell) {
  const rows = pairs.map(([label, value]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, said(label)),
      h("td", { class: "numeric" }, spell(value)),
    ),
  );
  return h(
    "div",
    {
      class: "table-frame scroll",
      tabindex: "0",
      role: "region",
      "aria-label": `${title}, as a table`,
    },
    h("table", {}, h("tbody", {}, rows)),
  );
}
