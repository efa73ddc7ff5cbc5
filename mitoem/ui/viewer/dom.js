/** Making elements, briefly. Text goes in as text nodes: nothing here parses HTML from data. */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props] attributes; `class`, `on…` listeners, `text`
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** Set a text, without work for the browser where it is the same. @param {Node} node @param {string} text */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Outlines on a 24 × 24 grid, drawn for this viewer. */
const ICONS = {
  quad: "M4 4h9v16H4zM16 4h4v4.5h-4zM16 10.5h4V15h-4zM16 17h4v3h-4z",
  cube: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  contrast: "M12 4a8 8 0 100 16 8 8 0 000-16zM12 4v16M12 8h6.9M12 12h8M12 16h6.9",
  invert: "M4 4h16v16H4zM4 20L20 4M13 16h4M15 14v4M7 8h4",
  fill: "M6 8c2-4 10-4 12 1s-2 10-7 9-8-5-5-10zM9 11l5-3M8.5 14.5l8-5M10.5 16.5l6-3.5",
  outline: "M6 8c2-4 10-4 12 1s-2 10-7 9-8-5-5-10z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 100 6 3 3 0 000-6z",
  solo: "M12 7.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM12 2v3M12 19v3M2 12h3M19 12h3",
  palette: "M12 3.5c-5 0-9 3.5-9 8.2 0 4.9 4.2 8.8 8.6 8.8 2 0 2.2-1.5 1.6-2.6-.8-1.5.2-2.9 1.8-2.9H18c2 0 3-1.4 3-3.4 0-4.7-4-8.1-9-8.1zM7.5 11.5h.01M10.5 7.5h.01M15 8h.01",
  sliders: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  pin: "M12 21s-6.5-6-6.5-11a6.5 6.5 0 0113 0c0 5-6.5 11-6.5 11zM12 7.7a2.3 2.3 0 100 4.6 2.3 2.3 0 000-4.6z",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  clear: "M6 6l12 12M18 6L6 18",
  bar: "M4 15v4h16v-4M8 19v-3M12 19v-4M16 19v-3",
  ruler: "M3.5 16.5l13-13 4 4-13 13zM7 13l2 2M10 10l2.5 2.5M13 7l2 2",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  card: "M4 4h16v16H4zM14 4v16M16.5 8h1.5M16.5 11h1.5M16.5 14h1.5",
  away: "M10 5H5v14h14v-5M14 4h6v6M20 4l-9 9",
  all: "M8 4a3 3 0 100 6 3 3 0 000-6zM17 7a2.5 2.5 0 100 5 2.5 2.5 0 000-5zM10 14a3 3 0 100 6 3 3 0 000-6zM18.5 15.5h.01",
  help: "M9 9a3 3 0 115 2.2c-1.2.9-2 1.5-2 3M12 18h.01",
  expand: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  raw: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
};

/** @param {string} name @returns {SVGSVGElement} */
export function icon(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[/** @type {keyof typeof ICONS} */ (name)]);
  made.append(path);
  return made;
}
