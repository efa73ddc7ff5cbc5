/** What lies over a slice: name, crosshair, scale bar, notes, the name of what is hovered. */

/** @import { Slice } from "./slice.js" */
/** @import { State } from "./state.js" */
import { el, icon, write } from "./dom.js";
import { PLANES, scaleBar } from "./geometry.js";

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
    this.across = [el("i", { class: `line h ${"zyx"[plane.row]}` }), el("i", { class: `line h ${"zyx"[plane.row]}` })];
    this.upright = [el("i", { class: `line v ${"zyx"[plane.col]}` }), el("i", { class: `line v ${"zyx"[plane.col]}` })];
    this.broken = el("button", { class: "broken", type: "button", onclick: actions.retry });
    const expand = el("button", {
      class: "expand", type: "button", title: `${plane.name} alone, or all panes`,
      "aria-label": `${plane.name} alone, or all panes`, onclick: actions.expand,
    }, icon("expand"));
    this.root = el("div", {
      class: "pane slice", "data-axis": slice.axis, "aria-label": `${plane.name} plane`, role: "img",
    },
      ...this.across, ...this.upright,
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
    this.cross();
    this.scale();
    const broken = cells.filter((cell) => cell.failed).length;
    this.broken.hidden = broken === 0;
    if (broken) this.broken.textContent = `${broken === 1 ? "1 tile" : `${broken} tiles`} unreadable · try again`;
    const bare = state.labels && slice.axis === "z" && !state.covered(slice.target);
    this.note.hidden = !bare;
    if (bare) this.note.textContent = "No labels in this section";
  }

  cross() {
    const { slice, state } = this;
    const [x, y] = slice.pointOf(state.cross);
    const { width, height } = slice.rect;
    const [left, right] = this.across;
    const [top, bottom] = this.upright;
    place(left, 0, y, Math.max(0, x - GAP), 1);
    place(right, x + GAP, y, Math.max(0, width - x - GAP), 1);
    place(top, x, 0, 1, Math.max(0, y - GAP));
    place(bottom, x, y + GAP, 1, Math.max(0, height - y - GAP));
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

/** @param {HTMLElement} line @param {number} x @param {number} y @param {number} width @param {number} height */
function place(line, x, y, width, height) {
  line.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  line.style.width = `${Math.round(width)}px`;
  line.style.height = `${Math.round(height)}px`;
}
