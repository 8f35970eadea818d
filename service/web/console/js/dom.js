// Builds the page.  Every text that comes from outside becomes a text node: no function here, and
// nothing else in the console, reads markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.  `props` are attributes; a function is a listener (`onclick`), `true` an empty
 * attribute, null and false none.  Children are nodes, texts, or lists of them; null is left out.
 */
export function h(name, props, ...children) {
  return filled(document.createElement(name), props, children);
}

/** Make an element of a drawing. */
export function s(name, props, ...children) {
  return filled(document.createElementNS(SVG, name), props, children);
}

/** Replace what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Make a link within the console. */
export function link(path, props, ...children) {
  return h("a", { href: path, ...props }, ...children);
}

/** Make a labelled field; `control` gets the label by its id. */
export function field(text, control, hint) {
  control.id ||= fresh("field");
  const help = hint ? h("p", { class: "quiet small", id: fresh("hint") }, hint) : null;
  if (help) control.setAttribute("aria-describedby", help.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, text), control, help);
}

/** Make a selection of [value, text] pairs. */
export function choice(pairs, chosen, props) {
  const options = pairs.map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text),
  );
  return h("select", props, ...options);
}

/** Make a text from outside that finds its own direction. */
export function said(text, props) {
  return h("span", { dir: "auto", ...props }, text ?? "");
}

let count = 0;

/** Make an id that no other element has. */
export function fresh(stem) {
  count += 1;
  return `${stem}-${count}`;
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
