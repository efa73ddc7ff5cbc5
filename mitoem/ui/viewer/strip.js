/**
 * The section scrubber: instances per section, what is training, validation or unlabelled, and a
 * handle that moves the XY plane while it is dragged.
 */

/** @import { State } from "./state.js" */
import { el } from "./dom.js";
import { clamp } from "./geometry.js";

const BAND = 5; // CSS pixels of the split colours under the counts

export class Strip {
  /**
   * @param {State} state @param {() => void} taken called when a person takes hold of it
   * @param {HTMLElement[]} steps buttons: previous, next section
   */
  constructor(state, taken, [previous, next]) {
    this.state = state;
    this.taken = taken;
    this.canvas = el("canvas");
    this.handle = el("div", { class: "handle" });
    this.label = el("span", { class: "at" });
    this.ghost = el("div", { class: "ghost", hidden: true });
    this.track = el("div", {
      class: "track", role: "slider", tabindex: "0", "aria-label": "Section z", "aria-valuemin": "0",
    }, this.canvas, this.ghost, this.handle);
    this.legend = el("div", { class: "legend" });
    for (const button of [previous, next]) button.addEventListener("click", taken, true); // z, whatever plane is active
    const steps = el("div", { class: "steps" }, previous, this.label, next);
    this.root = el("div", { class: "strip" }, steps, this.track, this.legend);
    this.drawn = "";
    this.listen();
  }

  get sections() {
    return this.state.info.shape[0];
  }

  listen() {
    const { track, state } = this;
    const at = (/** @type {PointerEvent} */ event) => {
      const box = track.getBoundingClientRect();
      return clamp(Math.floor(((event.clientX - box.left) / box.width) * this.sections), 0, this.sections - 1);
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      state.gripped = true;
      this.taken();
      track.focus({ preventScroll: true });
      state.moveTo(0, at(event));
    });
    track.addEventListener("pointermove", (event) => {
      const z = at(event);
      if (track.hasPointerCapture(event.pointerId)) state.moveTo(0, z);
      this.point(z);
    });
    for (const name of ["pointerup", "pointercancel"]) track.addEventListener(name, () => (state.gripped = false));
    track.addEventListener("pointerleave", () => this.point(-1));
    track.addEventListener("wheel", (event) => {
      event.preventDefault();
      state.moveTo(0, state.cross[0] + Math.sign(event.deltaY || event.deltaX) * (event.shiftKey ? 10 : 1));
    }, { passive: false });
    track.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (by !== undefined) state.moveTo(0, state.cross[0] + by);
      else if (event.key === "Home") state.moveTo(0, 0);
      else if (event.key === "End") state.moveTo(0, this.sections - 1);
      else return;
      event.preventDefault();
    });
  }

  /** Say what a section is, under the pointer. @param {number} z −1 for none */
  point(z) {
    this.ghost.hidden = z < 0;
    if (z < 0) return;
    const count = this.state.labels?.per_section[z];
    const what = this.state.covered(z) ? this.split(z) : "unlabelled";
    const many = count === undefined || what === "unlabelled" ? "" : ` · ${count} instance${count === 1 ? "" : "s"}`;
    this.ghost.textContent = `z ${z}${what ? ` · ${what}` : ""}${many}`;
    this.ghost.style.left = `${clamp(((z + 0.5) / this.sections) * 100, 6, 94)}%`;
  }

  /** @param {number} z */
  split(z) {
    return this.state.info.splits.find((s) => s.start <= z && z < s.stop)?.name ?? "labelled";
  }

  draw() {
    const z = this.state.cross[0];
    this.label.textContent = `z ${z}`;
    this.track.setAttribute("aria-valuemax", String(this.sections - 1));
    this.track.setAttribute("aria-valuenow", String(z));
    this.handle.style.left = `${((z + 0.5) / this.sections) * 100}%`;
    this.handle.style.width = `max(3px, ${100 / this.sections}%)`;
    this.paint();
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.track.clientWidth * ratio);
    const height = Math.round(this.track.clientHeight * ratio);
    const { labels, info } = this.state;
    const key = `${info.name} ${labels?.version} ${width} ${height}`;
    if (key === this.drawn || width === 0) return;
    this.drawn = key;
    this.canvas.width = width;
    this.canvas.height = height;
    const pencil = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    const colours = getComputedStyle(this.root);
    const ink = (/** @type {string} */ name) => colours.getPropertyValue(`--split-${name}`).trim() || colours.getPropertyValue("--split-labelled").trim();
    const counts = labels?.per_section ?? [];
    const most = Math.max(1, ...counts);
    const band = BAND * ratio;
    const names = new Set();
    for (let z = 0; z < this.sections; z += 1) {
      const x0 = Math.floor((z * width) / this.sections);
      const x1 = Math.max(x0 + 1, Math.floor(((z + 1) * width) / this.sections));
      const name = this.state.covered(z) ? this.split(z) : "unlabelled";
      names.add(name);
      pencil.fillStyle = ink(name);
      pencil.fillRect(x0, height - band, x1 - x0, band);
      const bar = ((counts[z] ?? 0) / most) * (height - band - 3 * ratio);
      pencil.globalAlpha = 0.5;
      pencil.fillRect(x0, height - band - bar, Math.max(1, x1 - x0 - (width / this.sections > 6 ? ratio : 0)), bar);
      pencil.globalAlpha = 1;
    }
    this.legend.replaceChildren(
      ...[...names].map((name) => el("span", {}, el("i", { style: `background:${ink(name)}` }), name)),
    );
  }
}
