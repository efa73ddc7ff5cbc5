/** A ruler on a plane: click for one end, click for the other; the length in nm or µm. */

/** @import { Slice } from "./slice.js" */
/** @import { State } from "./state.js" */
import { el, write } from "./dom.js";
import { formatNm } from "./geometry.js";

const NS = "http://www.w3.org/2000/svg";

export class Ruler {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.on = false;
    /** @type {Slice | null} */
    this.slice = null;
    /** @type {[number, number][]} ends as (row, column) of the plane */
    this.ends = [];
    this.fixed = false; // both ends are set
    this.text = el("span", { class: "length" });
    this.drawing = document.createElementNS(NS, "svg");
    this.line = document.createElementNS(NS, "path");
    this.drawing.append(this.line);
    this.root = el("div", { class: "ruler", hidden: true }, this.drawing, this.text);
  }

  /** @param {boolean} [on] */
  toggle(on = !this.on) {
    this.on = on;
    this.slice = null;
    this.ends = [];
    this.fixed = false;
    this.root.hidden = true;
    this.state.tell("look");
  }

  /** @param {Slice} slice @param {HTMLElement} pane @param {{x: number, y: number}} at */
  click(slice, pane, at) {
    const end = slice.placeAt(at.x, at.y);
    if (this.slice !== slice || this.fixed) {
      this.slice = slice;
      this.ends = [end, end];
      this.fixed = false;
      pane.append(this.root);
    } else {
      this.ends[1] = end;
      this.fixed = true;
    }
    this.draw();
  }

  /** @param {Slice} slice @param {{x: number, y: number}} at */
  point(slice, at) {
    if (!this.on || this.fixed || this.slice !== slice) return;
    this.ends[1] = slice.placeAt(at.x, at.y);
    this.draw();
  }

  /** Length in nm. */
  get nm() {
    if (!this.slice || this.ends.length < 2) return 0;
    const { row, col } = this.slice.plane;
    const voxel = this.state.info.voxel_size_nm;
    const [a, b] = this.ends;
    return Math.hypot((b[0] - a[0]) * voxel[row], (b[1] - a[1]) * voxel[col]);
  }

  draw() {
    const { slice } = this;
    this.root.hidden = !this.on || !slice || this.ends.length < 2;
    if (!slice || this.root.hidden) return;
    const frame = slice.frame();
    const [a, b] = this.ends.map(([row, col]) => [
      slice.rect.width / 2 + (col - frame.col) * frame.perVoxel[slice.plane.col],
      slice.rect.height / 2 + (row - frame.row) * frame.perVoxel[slice.plane.row],
    ]);
    const long = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
    const [tx, ty] = [(-(b[1] - a[1]) / long) * 6, ((b[0] - a[0]) / long) * 6];
    const tick = (/** @type {number[]} */ p) => `M${p[0] - tx} ${p[1] - ty}L${p[0] + tx} ${p[1] + ty}`;
    this.line.setAttribute("d", `M${a[0]} ${a[1]}L${b[0]} ${b[1]}${tick(a)}${tick(b)}`);
    write(this.text, formatNm(this.nm));
    this.text.style.transform = `translate(${Math.round((a[0] + b[0]) / 2 + 8)}px, ${Math.round((a[1] + b[1]) / 2 + 8)}px)`;
  }
}
