/**
 * Instances as small pictures, to walk through: a press selects (with shift one more), a double
 * press opens the instance in Explore; arrows walk from one to the next.
 */

import { show } from "./api.js";

/**
 * @typedef {{id: number, lines: string[], cut: boolean}} Card
 *
 * @typedef {object} Data
 * @property {string} place address of the label set's thumbnails
 * @property {string} version of image and labels
 * @property {Card[]} cards
 * @property {number[]} selected
 *
 * @typedef {object} Component  What Streamlit passes.
 * @property {Data} data
 * @property {HTMLElement} parentElement
 * @property {(name: string, value: any) => void} setTriggerValue
 */

const PLANES = ["XY", "XZ", "YZ"];

const AWAY = { ArrowRight: 1, ArrowDown: 1, n: 1, ArrowLeft: -1, ArrowUp: -1, p: -1 };

/** @type {WeakMap<HTMLElement, {component: Component, shown: string}>} */
const mounts = new WeakMap();

/** @param {Component} component */
export function attach(component) {
  const root = /** @type {HTMLElement} */ (component.parentElement.querySelector(".gallery"));
  const { data } = component;
  const shown = JSON.stringify([data.place, data.version, data.cards]);
  const before = mounts.get(root);
  mounts.set(root, { component, shown });
  if (before?.shown !== shown) root.replaceChildren(...data.cards.map((card) => figure(card, data)));
  const selected = new Set(data.selected);
  for (const one of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".card"))) {
    one.setAttribute("aria-pressed", String(selected.has(Number(one.dataset.id))));
  }
  if (before) return;
  const tell = (/** @type {string} */ name, /** @type {any} */ value) => mounts.get(root)?.component.setTriggerValue(name, value);
  root.addEventListener("click", (event) => {
    const id = idOf(event);
    if (id && event.detail < 2) tell("pick", { id, add: event.shiftKey || event.ctrlKey || event.metaKey });
  });
  root.addEventListener("dblclick", (event) => {
    const id = idOf(event);
    if (id) tell("open", id);
  });
  root.addEventListener("keydown", (event) => {
    const by = AWAY[/** @type {keyof AWAY} */ (event.key)];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const cards = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".card")]);
    const next = cards[cards.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + by];
    if (next) next.focus();
    if (next) tell("pick", { id: Number(next.dataset.id), add: event.shiftKey });
    else tell("turn", by);
  });
}

/** @param {Event} event @returns {number} the instance that was pressed, 0 for none */
function idOf(event) {
  const card = /** @type {Element} */ (event.target).closest(".card");
  return card ? Number(/** @type {HTMLElement} */ (card).dataset.id) : 0;
}

/** @param {Card} card @param {Data} data */
function figure({ id, lines, cut }, { place, version }) {
  const card = document.createElement("button");
  card.type = "button";
  card.className = "card";
  card.dataset.id = String(id);
  const image = new Image();
  image.loading = "lazy";
  image.alt = `Planes XY, XZ and YZ through instance ${id}`;
  show(image, `${place}/${id}.jpg?v=${encodeURIComponent(version)}`, () => {
    card.classList.add("failed");
    image.alt = "This picture did not load";
  });
  const planes = document.createElement("span");
  planes.className = "planes";
  planes.append(image, ...PLANES.map((plane) => {
    const letters = document.createElement("i");
    letters.textContent = plane;
    letters.ariaHidden = "true";
    return letters;
  }));
  const text = document.createElement("span");
  const name = document.createElement("b");
  name.textContent = `#${id}`;
  text.append(name, ...lines.map((line) => {
    const part = document.createElement("span");
    part.textContent = line;
    return part;
  }));
  if (cut) {
    const mark = document.createElement("em");
    mark.textContent = "cut";
    text.append(mark);
  }
  card.append(planes, text);
  return card;
}
