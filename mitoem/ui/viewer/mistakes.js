/**
 * The errors of a prediction, one by one: a list, nine pictures at the worst point, surfaces in 3-D
 * and the verdict of a person. Walking happens here; Python hears where it came to rest.
 */

import { show } from "./api.js";
import { el, icon } from "./dom.js";
import { Pair } from "./pair.js";

/**
 * @typedef {object} Mistake
 * @property {string} name `t118` or `p55`
 * @property {string} kind
 * @property {number} truth
 * @property {number[]} predictions
 * @property {number[]} others true instances that belong with them too
 * @property {number} partner
 * @property {number} voxels
 * @property {number} iou
 * @property {number} lost
 * @property {number[]} point (z, y, x)
 * @property {number} field nm that the pictures show at first
 *
 * @typedef {object} Data
 * @property {string} place address of the volume's label sets
 * @property {string} truth
 * @property {string} prediction
 * @property {Record<string, string>} versions of image and both label sets
 * @property {Mistake[]} mistakes
 * @property {string} current
 * @property {Record<string, string>} verdicts
 * @property {Record<string, string>} kinds colours
 * @property {Record<string, string>} difference colours
 * @property {[string, string, string]} offered verdicts
 *
 * @typedef {object} Component  What Streamlit passes.
 * @property {Data} data
 * @property {HTMLElement} parentElement
 * @property {(name: string, value: any) => void} setTriggerValue
 * @property {(name: string, value: any) => void} setStateValue
 */

const REST = 250; // ms without a step before Python is told
const FIELDS = [300, 20000]; // nm

/** @type {WeakMap<HTMLElement, Browser>} */
const mounts = new WeakMap();

/** @param {Component} component */
export function attach(component) {
  const root = /** @type {HTMLElement} */ (component.parentElement.querySelector(".mistakes"));
  const known = mounts.get(root);
  if (known) {
    known.update(component);
    return;
  }
  const made = new Browser(root, component);
  mounts.set(root, made);
  return () => {
    if (!root.isConnected) made.destroy();
  };
}

class Browser {
  /** @param {HTMLElement} root @param {Component} component */
  constructor(root, component) {
    this.component = component;
    this.list = el("div", { class: "list", role: "listbox", "aria-label": "Errors" });
    this.image = el("img", { class: "nine", alt: "" });
    this.image.onload = () => root.setAttribute("data-shown", this.current);
    this.sight = el("div", { class: "sight" },
      el("div", { class: "heads" }, ...["Truth", "Prediction", "Difference"].map((text) => el("span", { text }))),
      el("div", { class: "frame" }, this.image, ...["XY", "XZ", "YZ"].map((text, k) => el("b", { class: "plane", style: `top:${k * 33.33}%`, text })), ...marks()));
    this.legend = el("div", { class: "legend" });
    this.sight.append(this.legend);
    this.facts = el("div", { class: "facts", "aria-live": "polite" });
    this.count = el("span", { class: "count" });
    this.verdicts = el("div", { class: "verdicts", role: "group", "aria-label": "Verdict" });
    this.pair = new Pair();
    const button = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => void} */ run) =>
      el("button", { type: "button", title, "aria-label": title, onclick: run }, icon(name));
    this.side = el("div", { class: "side" },
      el("div", { class: "walk" },
        button("previous", "Previous error (p)", () => this.step(-1)), this.count, button("next", "Next error (n)", () => this.step(1)),
        el("span", { class: "gap" }),
        button("minus", "More around it (-)", () => this.zoom(1.5)), button("plus", "Nearer (+)", () => this.zoom(1 / 1.5)),
        button("away", "Open in Explore (e)", () => this.tell("open", this.current))),
      this.facts, this.verdicts, this.pair.root);
    const order = el("div", { class: "order" }, ...["", "Type", "Instance", "Voxels lost"].map((text) => el("span", { text })));
    root.replaceChildren(el("div", {}, order, this.list), this.sight, this.side);
    root.tabIndex = 0;
    root.addEventListener("keydown", (event) => this.key(event));
    this.root = root;
    this.current = "";
    this.known = ""; // the error that Python showed last
    /** @type {string[]} errors that Python was told of and has not shown yet */
    this.told = [];
    this.shown = "";
    this.scale = 1;
    this.rest = 0;
    /** @type {Map<string, string>} verdicts that Python has not confirmed; "" takes one back */
    this.unsaved = new Map();
    /** @type {HTMLImageElement[]} */
    this.ahead = [];
    this.update(component);
  }

  get data() {
    return this.component.data;
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    const { data } = this;
    for (const [name, verdict] of [...this.unsaved]) {
      if ((data.verdicts[name] ?? "") === verdict) this.unsaved.delete(name);
    }
    const shown = JSON.stringify([data.place, data.versions, data.mistakes.map((one) => one.name)]);
    if (shown !== this.shown) {
      this.shown = shown;
      this.list.replaceChildren(...data.mistakes.map((one, k) => this.row(one, k)));
      this.legend.replaceChildren(...Object.entries(data.difference).map(([text, colour]) => el("span", {}, el("i", { style: `background:${colour}` }), text)));
    }
    for (const one of data.mistakes) this.mark(one.name);
    this.told = this.told.slice(this.told.indexOf(data.current) + 1);
    const moved = data.current !== this.known && !this.told.length && !this.rest;
    this.known = data.current;
    const names = new Set(data.mistakes.map((one) => one.name));
    if (moved || !names.has(this.current)) this.show(names.has(data.current) ? data.current : (data.mistakes[0]?.name ?? ""));
    else this.draw();
  }

  /** @param {Mistake} one @param {number} k */
  row(one, k) {
    const ids = one.truth ? `#${one.truth}` : `#${one.predictions[0]}`;
    return el("button", { type: "button", class: "row", role: "option", "data-name": one.name, tabindex: -1, onclick: () => this.show(one.name, true) },
      el("i", { style: `background:${this.data.kinds[one.kind]}` }), el("span", { class: "kind", text: one.kind }),
      el("span", { class: "id", text: ids }), el("span", { class: "lost", text: one.lost.toLocaleString("en") }),
      el("span", { class: "verdict" }));
  }

  /** The verdict on an error, as it stands here. @param {string} name */
  verdict(name) {
    return this.unsaved.get(name) ?? this.data.verdicts[name] ?? "";
  }

  /** @param {string} name */
  mark(name) {
    const row = this.list.querySelector(`[data-name="${name}"] .verdict`);
    const text = { "": "", "model wrong": "M", "label wrong": "L", unsure: "?" }[this.verdict(name)] ?? "";
    if (row && row.textContent !== text) row.textContent = text;
  }

  /** @param {number} by */
  step(by) {
    const { mistakes } = this.data;
    if (!mistakes.length) return;
    const at = mistakes.findIndex((one) => one.name === this.current);
    this.show(mistakes[(at + by + mistakes.length) % mistakes.length].name, true);
  }

  /** @param {string} name @param {boolean} [mine] a step of the person, which Python is told of */
  show(name, mine = false) {
    this.list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    this.current = name;
    this.scale = 1;
    const row = this.list.querySelector(`[data-name="${name}"]`);
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    this.draw();
    if (!mine) return;
    clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      this.rest = 0;
      this.known = this.current;
      this.told.push(this.current);
      this.component.setStateValue("current", this.current);
    }, REST);
  }

  draw() {
    const { mistakes } = this.data;
    const at = mistakes.findIndex((one) => one.name === this.current);
    const one = mistakes[at];
    this.root.classList.toggle("empty", !one);
    if (!one) return;
    const url = this.picture(one, this.scale);
    if (this.image.getAttribute("src") !== url) {
      this.sight.classList.remove("failed");
      show(this.image, url, () => this.sight.classList.add("failed"));
      this.image.alt = `Truth, prediction and difference of a ${one.kind} error in three planes`;
    }
    this.ahead = [1, 2, -1].map((by) => {
      const image = new Image();
      image.src = this.picture(mistakes[(at + by + mistakes.length) % mistakes.length], 1);
      return image;
    });
    this.count.textContent = `${at + 1} of ${mistakes.length.toLocaleString("en")}`;
    this.facts.replaceChildren(...facts(one));
    this.verdicts.replaceChildren(...this.data.offered.map((text, k) => el("button", {
      type: "button", text: `${text[0].toUpperCase()}${text.slice(1)}`, title: `${text} (${k + 1})`,
      "aria-pressed": String(this.verdict(one.name) === text), onclick: () => this.judge(text),
    })));
    const { truth, prediction, versions, place } = this.data;
    const mesh = (/** @type {string} */ labels, /** @type {number} */ id) =>
      `${place}/${encodeURIComponent(labels)}/meshes/${id}.glb?v=${encodeURIComponent(versions[labels])}`;
    const truths = [one.truth, ...one.others].filter(Boolean).slice(0, 8);
    this.pair.show(truths.map((id) => mesh(truth, id)), one.predictions.slice(0, 8).map((id) => mesh(prediction, id)));
  }

  /** @param {Mistake} one @param {number} scale */
  picture(one, scale) {
    const { place, truth, prediction, versions } = this.data;
    const field = Math.round(Math.min(Math.max(one.field * scale, FIELDS[0]), FIELDS[1]));
    const query = new URLSearchParams({
      truth: String(one.truth), others: one.others.slice(0, 300).join(","), predictions: one.predictions.slice(0, 300).join(","), partner: String(one.partner),
      field: String(field), v: [versions.image, versions[truth], versions[prediction]].join(" "),
    });
    return `${place}/${encodeURIComponent(truth)}/against/${encodeURIComponent(prediction)}/${one.point.join("/")}.jpg?${query}`;
  }

  /** @param {number} by */
  zoom(by) {
    this.scale = Math.min(Math.max(this.scale * by, 0.1), 10);
    this.draw();
  }

  /** The same verdict again takes it back. @param {string} verdict */
  judge(verdict) {
    const name = this.current;
    if (!name) return;
    this.unsaved.set(name, this.verdict(name) === verdict ? "" : verdict);
    this.mark(name);
    this.draw();
    // A state and no trigger: of two triggers that follow fast, Python would hear the second alone.
    this.component.setStateValue("judged", [...this.unsaved]);
  }

  /** @param {string} name @param {any} value */
  tell(name, value) {
    this.component.setTriggerValue(name, value);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { offered } = this.data;
    /** @type {Record<string, () => void>} */
    const acts = {
      n: () => this.step(1), ArrowDown: () => this.step(1), p: () => this.step(-1), ArrowUp: () => this.step(-1),
      "+": () => this.zoom(1 / 1.5), "-": () => this.zoom(1.5), e: () => this.tell("open", this.current),
      1: () => this.judge(offered[0]), 2: () => this.judge(offered[1]), 3: () => this.judge(offered[2]),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  destroy() {
    clearTimeout(this.rest);
    this.pair.destroy();
  }
}

/** A ring in the middle of each picture: the worst point. */
function marks() {
  return Array.from({ length: 9 }, (_, k) => el("i", { class: "mark", style: `left:${16.67 + 33.33 * (k % 3)}%;top:${16.67 + 33.33 * Math.floor(k / 3)}%` }));
}

/** @param {Mistake} one @returns {Node[]} */
function facts(one) {
  const named = (/** @type {number[]} */ ids) => (ids.length ? ids.slice(0, 6).map((id) => `#${id}`).join(", ") + (ids.length > 6 ? ` and ${ids.length - 6} more` : "") : "none");
  const lines = [
    ["Truth", one.truth ? `#${one.truth}, ${one.voxels.toLocaleString("en")} voxels` : "none"],
    ...(one.others.length ? [["Merged with", `truth ${named(one.others)}`]] : []),
    ["Prediction", named(one.predictions)],
    ["Overlap (IoU)", one.partner && one.truth ? `${one.iou.toFixed(3)} with #${one.partner}` : one.others.length ? "none of its own" : "none"],
    ["Lost", `${one.lost.toLocaleString("en")} voxels`],
    ["Worst point", `z ${one.point[0]}, y ${one.point[1]}, x ${one.point[2]}`],
  ];
  return [el("h3", { text: one.kind }), ...lines.map(([name, value]) => el("div", {}, el("span", { text: name }), el("b", { text: value })))];
}
