/**
 * What lies over a slice: name, scale bar, notes, the name of what is hovered. The crosshair is drawn
 * with the slice: as elements its lines would make the browser blend a layer of the pane's size.
 */

/** @import { Line, Triple } from "./types.js" */
/** @import { Slice } from "./slice.js" */
/** @import { State } from "./state.js" */
import { PLANE_COLOURS } from "./colour.js";
import { el, icon, write } from "./dom.js";
import { AXES, PLANES, scaleBar } from "./geometry.js";

const EDGE_OF_LABELS = "#d9a441";
const GAP = 9; // CSS pixels left free around the point where the planes meet

export class Overlay {
  /**
   * @param {Slice} slice @param {State} state
   * @param {{expand: () => void, retry: () => void}} actions
   */
  constructor(slice, state, actions) {
    this.slice = slice;
    this.state = state;
    const plane = PLANES[slice.axis];
    this.place = el("span", { class: "index" });
    this.bar = el("div", { class: "bar" }, el("i"), el("span"));
    this.note = el("div", { class: "note", role: "status" });
    this.tip = el("div", { class: "tip", hidden: true }, el("i"), el("span"));
    this.broken = el("button", { class: "broken", type: "button", onclick: actions.retry });
    const expand = el("button", {
      class: "expand", type: "button", title: `${plane.name} alone, or all panes`,
      "aria-label": `${plane.name} alone, or all panes`, onclick: actions.expand,
    }, icon("expand"));
    this.root = el("div", {
      class: "pane slice", "data-axis": slice.axis, "aria-label": `${plane.name} plane`, role: "img",
    },
      el("div", { class: `name ${slice.axis}` }, el("b", { text: plane.name }), this.place),
      expand, this.bar, this.note, this.broken, this.tip,
    );
  }

  /** @param {import("./types.js").Cell[]} cells just drawn */
  draw(cells) {
    const { slice, state } = this;
    const { normal } = slice.plane;
    this.root.classList.toggle("active", slice.axis === state.plane);
    const late = slice.shown === slice.target ? "" : " …";
    write(this.place, `${"zyx"[normal]} ${slice.target}${late}`);
    this.root.dataset.shown = String(slice.shown);
    this.scale();
    const broken = cells.filter((cell) => cell.failed).length;
    this.broken.hidden = broken === 0;
    if (broken) this.broken.textContent = `${broken === 1 ? "1 tile" : `${broken} tiles`} unreadable · try again`;
    const bare = state.labels !== null && state.covering(normal, slice.target).length === 0;
    this.note.hidden = !bare;
    if (bare) write(this.note, "No labels in this section");
  }

  /** Where labels end inside the volume, in CSS pixels of the pane. @returns {Line[]} */
  coverage() {
    const { slice, state } = this;
    const { row, col, normal } = slice.plane;
    const { shape } = state.info;
    /** @type {Line[]} */
    const lines = [];
    for (const [start, stop] of state.covering(normal, slice.target)) {
      const [x0, y0] = slice.pointOf(/** @type {Triple} */ (start.map((v) => v - 0.5))).map(Math.round);
      const [x1, y1] = slice.pointOf(/** @type {Triple} */ (stop.map((v) => v - 0.5))).map(Math.round);
      const add = (/** @type {boolean} */ inside, /** @type {Line["rect"]} */ rect) =>
        inside && lines.push({ rect, colour: EDGE_OF_LABELS });
      add(start[col] > 0, [x0, y0, x0 + 1, y1]);
      add(stop[col] < shape[col], [x1 - 1, y0, x1, y1]);
      add(start[row] > 0, [x0, y0, x1, y0 + 1]);
      add(stop[row] < shape[row], [x0, y1 - 1, x1, y1]);
    }
    return lines;
  }

  /** The planes that cross this one, in CSS pixels of the pane. @returns {Line[]} */
  crosshair() {
    const { slice, state } = this;
    const [x, y] = slice.pointOf(state.cross).map(Math.round);
    const { width, height } = slice.rect;
    const [across, upright] = [slice.plane.row, slice.plane.col].map((a) => PLANE_COLOURS[AXES[a]]);
    return [
      { rect: [0, y, x - GAP, y + 1], colour: across },
      { rect: [x + GAP, y, width, y + 1], colour: across },
      { rect: [x, 0, x + 1, y - GAP], colour: upright },
      { rect: [x, y + GAP, x + 1, height], colour: upright },
    ];
  }

  scale() {
    const { slice, state } = this;
    this.bar.hidden = !state.bar || slice.rect.width < 120;
    if (this.bar.hidden) return;
    const perPixel = state.info.voxel_size_nm[2] / state.magnification;
    const bar = scaleBar(perPixel, Math.min(150, slice.rect.width * 0.2));
    /** @type {HTMLElement} */ (this.bar.firstChild).style.width = `${bar.pixels}px`;
    write(/** @type {HTMLElement} */ (this.bar.lastChild), bar.text);
  }

  /** @param {number} id 0 hides it @param {{x: number, y: number}} at */
  name(id, at) {
    this.tip.hidden = id === 0;
    if (id === 0) return;
    /** @type {HTMLElement} */ (this.tip.firstChild).style.background = this.state.css(id);
    /** @type {HTMLElement} */ (this.tip.lastChild).textContent = `#${id}`;
    const flip = at.x > this.slice.rect.width - 90;
    this.tip.style.transform = `translate(${Math.round(at.x + (flip ? -76 : 14))}px, ${Math.round(at.y + 14)}px)`;
  }
}
