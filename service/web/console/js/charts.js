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
  const content = pairs.length ? [upright(drawn), ends(pairs, spell(most))] : null;
  return figure(title, content, table(title, pairs, spell));
}

/**
 * Show [label, numbers] pairs as upright bars of several kinds, one upon the other.  `kinds` and
 * `beside` are [name, text] pairs of the numbers; the first of `beside`, which is a part of the
 * whole bar, is drawn across it, and the others stand in the table only.
 */
export function stacks(title, kinds, beside, pairs, spell) {
  const whole = (numbers) => kinds.reduce((sum, [name]) => sum + numbers[name], 0);
  const most = Math.max(1, ...pairs.map(([, numbers]) => whole(numbers)));
  const step = WIDTH / Math.max(1, pairs.length);
  const [part, partText] = beside[0];
  const drawn = pairs.map(([label, numbers], index) => {
    const x = (index + GAP / 2) * step;
    const width = step * (1 - GAP);
    let y = HEIGHT;
    const parts = kinds.map(([name, text]) => {
      const height = (HEIGHT * numbers[name]) / most;
      y -= height;
      const told = s("title", {}, `${label}, ${text}: ${spell(numbers[name])}`);
      return s("rect", { x, y, width, height, class: `kind ${name}` }, told);
    });
    const at = HEIGHT - (HEIGHT * numbers[part]) / most;
    const across = { x1: x, x2: x + width, y1: at, y2: at, class: "across" };
    return [parts, whole(numbers) > 0 && s("line", across)];
  });
  const key = [...kinds.map(([name, text]) => [`kind ${name}`, text]), ["across", partText]];
  const legend = h(
    "ul",
    { class: "plain row small", "aria-label": "Key, from below" },
    key.map(([kind, text]) => h("li", { class: "key" }, h("span", { class: kind }), text)),
  );
  const content = pairs.length ? [upright(drawn), ends(pairs, spell(most)), legend] : null;
  return figure(title, content, wideTable(title, [...kinds, ...beside], pairs, spell));
}

function upright(drawn) {
  return s(
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
}

function ends(pairs, most) {
  if (pairs.length < 2) return null;
  return h(
    "div",
    { class: "row apart quiet small" },
    h("span", {}, pairs[0][0]),
    h("span", {}, `most: ${most}`),
    h("span", {}, pairs.at(-1)[0]),
  );
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
  return framed(title, h("tbody", {}, rows));
}

function wideTable(title, columns, pairs, spell) {
  const heads = columns.map(([, text]) => h("th", { scope: "col", class: "numeric" }, text));
  const rows = pairs.map(([label, numbers]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, said(label)),
      columns.map(([name]) => h("td", { class: "numeric" }, spell(numbers[name]))),
    ),
  );
  const head = h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Day"), heads));
  return framed(title, head, h("tbody", {}, rows));
}

function framed(title, ...parts) {
  return h(
    "div",
    {
      class: "table-frame scroll",
      tabindex: "0",
      role: "region",
      "aria-label": `${title}, as a table`,
    },
    h("table", {}, parts),
  );
}
