/**
 * One plot of a page. It stays while its figure changes, so that nothing flickers; a box drawn on it
 * and a pressed point are told to Python; it saves itself as SVG or PNG.
 */

import { PLOTLY_URL, loadPlotly } from "./library.js";

/**
 * @typedef {object} Data
 * @property {string} figure of plotly, as JSON
 * @property {string} stem name of a saved file, without its ending
 * @property {boolean} resets a double click has something to take away
 * @property {string} said what the plot shows, for who does not see it
 *
 * @typedef {object} Component  What Streamlit passes.
 * @property {Data} data
 * @property {HTMLElement} parentElement
 * @property {(name: string, value: any) => void} setTriggerValue
 */

/** @type {WeakMap<HTMLElement, {shown: string, component: Component}>} */
const plots = new WeakMap();

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
/** A caption: mean width of its characters, height of a line, room to its left; usual room below a plot, px. */
const CHARACTER = 6, LINE = 16, BESIDE = 90, BELOW = 96;
/** Pixels from the axis to the foot of its title, beside which the buttons lie. */
const TITLE = 52;
const AGAIN = 300; // ms within which a second press is one of a double click, as plotly.js has it
const SCALE = { svg: 1, png: 3 };

/** @param {Component} component @returns {Promise<() => void>} */
export async function attach(component) {
  const root = /** @type {HTMLElement} */ (component.parentElement.querySelector(".mitoem-plot"));
  const holder = /** @type {any} */ (root.querySelector(".figure"));
  const buttons = /** @type {HTMLElement} */ (root.querySelector(".save"));
  const Plotly = await loadPlotly(PLOTLY_URL);
  const before = plots.get(holder);
  plots.set(holder, { shown: component.data.figure, component });
  if (before?.shown !== component.data.figure) {
    if (before) await shownFirst();
    if (plots.get(holder)?.shown !== component.data.figure) return () => {}; // another one came meanwhile
    const { data, layout } = JSON.parse(component.data.figure);
    breakCaption(layout, root.clientWidth);
    buttons.style.bottom = `${(layout.margin?.b ?? BELOW) - TITLE}px`;
    holder.setAttribute("aria-label", component.data.said);
    root.style.minHeight = `${layout.height}px`;
    await Plotly.react(holder, data, { ...layout, selections: [], autosize: true }, CONFIG);
    rangesAlone(holder);
    root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
  } else if (holder.layout.selections?.length) {
    await Plotly.relayout(holder, { selections: [] }); // a box that changed nothing
  }
  if (!before) {
    listen(holder, Plotly);
    for (const kind of /** @type {("svg" | "png")[]} */ (["svg", "png"])) {
      const button = /** @type {HTMLButtonElement} */ (root.querySelector(`.${kind}`));
      button.onclick = () => void save(holder, Plotly, kind);
    }
  }
  return () => {
    if (!holder.isConnected) Plotly.purge(holder);
  };
}

/**
 * A box on very many points says its range and no more: which points lie in it takes plotly.js long to
 * find and to draw, and nobody asks. @param {any} holder
 */
function rangesAlone(holder) {
  for (const trace of holder._fullData) {
    if (trace.type === "scattergl") trace._module = { ...trace._module, selectPoints: undefined };
  }
}

/**
 * Resolves once what came with the figure is on the screen: a person waits for the table, and a plot
 * of many points holds the page. A hidden page has no frames: there it does not wait for one.
 */
function shownFirst() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 100);
  });
}

/**
 * Breaks the lines of the caption, the first annotation, where the plot ends; it grows as they need.
 * @param {any} layout @param {number} width
 */
function breakCaption(layout, width) {
  const caption = layout.annotations?.[0];
  if (!caption || !width) return;
  const most = Math.floor((width - BESIDE) / CHARACTER), lines = caption.text.split("<br>");
  const broken = lines.flatMap((/** @type {string} */ line) => {
    const parts = [""];
    for (const word of line.split(" ")) {
      const last = parts[parts.length - 1];
      if (last && last.length + word.length > most) parts.push(word);
      else parts[parts.length - 1] = last ? `${last} ${word}` : word;
    }
    return parts;
  });
  caption.text = broken.join("<br>");
  const below = layout.margin?.b ?? BELOW, more = Math.max(0, TITLE + LINE * broken.length - below);
  layout.margin = { ...layout.margin, b: below + more };
  layout.height += more;
}

/** @param {any} holder @param {any} Plotly */
function listen(holder, Plotly) {
  const tell = (/** @type {string} */ name, /** @type {any} */ value) =>
    plots.get(holder)?.component.setTriggerValue(name, value);
  /** @type {(() => void) | null} what is told of a press, unless a second one makes it a double click */
  let waiting = null;
  let pick = 0;
  const press = () => {
    clearTimeout(pick);
    waiting?.();
    waiting = null;
  };
  holder.on("plotly_selected", (/** @type {any} */ event) => {
    if (!event?.range) return;
    tell("box", { x: event.range.x, y: event.range.y });
  });
  holder.on("plotly_click", (/** @type {any} */ { points, event }) => {
    const point = points.find((/** @type {any} */ one) => Number.isInteger(one.customdata));
    const { component } = /** @type {{component: Component}} */ (plots.get(holder));
    if (component.data.resets && event.detail > 1) {
      clearTimeout(pick);
      waiting = null;
      return;
    }
    press();
    if (!point) return;
    const told = { id: point.customdata, of: point.data.meta ?? null, add: event.shiftKey };
    waiting = () => tell("pick", told);
    pick = window.setTimeout(press, component.data.resets ? AGAIN : 0);
  });
  /** @type {MouseEvent[]} */
  let presses = [];
  holder.addEventListener("mousedown", (/** @type {MouseEvent} */ event) => {
    presses = [...presses.slice(-1), event];
  }, { capture: true });
  holder.on("plotly_deselect", () => {
    if (inOnePlace(presses)) tell("reset", true);
  });
}

/**
 * Whether two presses are a double click: plotly takes any two that follow fast, points far apart too.
 * @param {MouseEvent[]} presses
 */
function inOnePlace([first, second]) {
  return Math.hypot(first.clientX - second.clientX, first.clientY - second.clientY) <= 6;
}

/** @param {any} holder @param {any} Plotly @param {"svg" | "png"} kind */
async function save(holder, Plotly, kind) {
  const { width, height } = holder.getBoundingClientRect();
  const paper = getComputedStyle(/** @type {Element} */ (document.querySelector('[data-testid="stApp"]'))).backgroundColor;
  const layout = { ...holder.layout, paper_bgcolor: paper, selections: [] };
  const url = await Plotly.toImage({ data: holder.data, layout }, { format: kind, width, height, scale: SCALE[kind] });
  const link = document.createElement("a");
  link.href = url;
  link.download = `${plots.get(holder)?.component.data.stem}.${kind}`;
  link.click();
}
