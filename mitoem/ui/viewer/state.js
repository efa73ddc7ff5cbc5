/**
 * What the viewer shows: one object, changed by named actions, heard by whoever draws.
 * Places are level-0 voxels; `cross` is where the planes meet, `centre` what the panes look at.
 */

/** @import { Axis, LabelInfo, Layout, Paint, Triple, VolumeInfo, Wish } from "./types.js" */
import { instanceColour } from "./colour.js";
import { inksOf } from "./colouring.js";
import { AXES, PLANES, clamp, fitZoom, keepInside, scales } from "./geometry.js";

/** @typedef {"place" | "zoom" | "look" | "layout" | "select" | "hover"} Change */

export const MOST_SELECTED = 50;

/** What an address leaves out. @type {Record<string, string>} */
const USUAL = { inv: "0", solo: "0", seed: "0", colour: "id", mode: "fill", layout: "quad" };

export class State {
  /** @param {VolumeInfo} info @param {Wish} wish */
  constructor(info, wish) {
    this.info = info;
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    this.size = { width: 800, height: 600 }; // of the pane that "fit" fits
    /** @type {"quad" | Layout} */
    this.layout = "quad";
    /** @type {Axis} */
    this.plane = "z";
    /** @type {Triple} */
    this.cross = [0, 0, 0];
    /** @type {Triple} */
    this.centre = [0, 0, 0];
    /** @type {number | null} */
    this.zoom = null;
    /** @type {number[]} */
    this.selected = [];
    /** @type {LabelInfo | null} */
    this.labels = null;
    /** @type {LabelInfo | null} */
    this.beside = null; // its outlines are drawn too
    /** @type {[number, number]} */
    this.opacity = [60, 25];
    this.outline = false;
    /** @type {[number, number]} */
    this.window = [0, 255];
    this.invert = false;
    this.solo = false;
    this.seed = 0;
    this.colour = "id"; // what the instances are coloured by
    /** @type {import("./colouring.js").Colouring | null} */
    this.colouring = null; // the colours, once they are here
    this.filter = ""; // expression that keeps instances
    /** @type {Set<number> | null} */
    this.kept = null; // what it keeps, once that is here; null for all
    this.keptBy = ""; // the filter that kept it
    /** @type {import("./colouring.js").Inks | null} */
    this.dipped = null;
    this.dippedKey = "";
    this.held = false; // space is held: the raw image
    this.hidden = false; // labels switched off
    this.bar = true;
    this.hover = 0;
    this.gripped = false; // a pointer is down
    this.detail = 1; // share of the screen's pixels that is drawn along each side
    this.apply(wish);
  }

  /** Take a view from Python. @param {Wish} wish */
  apply(wish) {
    const { shape } = this.info;
    this.labels = this.info.labels.find((set) => set.name === wish.labels) ?? null;
    this.beside = this.info.labels.find((set) => set.name === wish.beside) ?? null;
    this.cross = /** @type {Triple} */ (
      [wish.z, wish.y, wish.x].map((v, a) => clamp(Math.round(v), 0, shape[a] - 1))
    );
    this.centre = [...this.cross];
    this.zoom = wish.zoom;
    this.plane = wish.plane;
    this.layout = wish.layout;
    this.selected = wish.sel.slice(0, MOST_SELECTED);
    this.opacity = [...wish.op];
    this.outline = wish.mode === "outline";
    this.window = [...wish.w];
    this.invert = wish.inv;
    this.solo = wish.solo;
    this.colour = wish.colour;
    this.seed = wish.seed;
    this.filter = wish.f;
    if (wish.layout !== "quad" && wish.layout !== "3d") this.plane = wish.layout;
    for (const change of /** @type {Change[]} */ (["layout", "place", "select", "look"])) this.tell(change);
  }

  /** The settled state, in the words and the rounding of the URL. */
  report() {
    const [z, y, x] = this.cross;
    return {
      volume: this.info.name,
      x, y, z,
      zoom: this.zoom === null ? null : Number(this.zoom.toPrecision(3)),
      plane: this.plane,
      layout: this.layout,
      beside: this.beside?.name ?? null,
      sel: [...this.selected],
      op: [...this.opacity],
      mode: this.outline ? "outline" : "fill",
      w: [...this.window],
      inv: this.invert,
      solo: this.solo,
      colour: this.colour,
      seed: this.seed,
    };
  }

  /** The words of an address that shows this view; places in full, so that it depends on no volume's defaults. */
  query() {
    const { sel, op, w, inv, solo, zoom, mode, beside, ...words } = this.report();
    const all = { ...words, sel: sel.join(), op: op.join(), w: w.join(), inv: Number(inv), solo: Number(solo), mode };
    const query = new URLSearchParams({ v: "1", labels: this.labels?.name ?? "" });
    for (const [name, value] of Object.entries(all)) if (String(value) !== USUAL[name]) query.set(name, String(value));
    if (zoom !== null) query.set("zoom", String(zoom));
    if (beside) query.set("beside", beside);
    if (this.filter) query.set("f", this.filter);
    for (const name of ["labels", "sel"]) if (!query.get(name)) query.delete(name);
    return query.toString().replaceAll("%2C", ",");
  }

  /** @param {number} id @returns {[number, number, number]} the colour of an instance, everywhere */
  rgb(id) {
    return this.colouring ? this.colouring.of(id) : instanceColour(id, this.seed);
  }

  /** @param {number} id */
  css(id) {
    return `rgb(${this.rgb(id).join(" ")})`;
  }

  /** Whether an instance is drawn: the filter keeps it, or it was selected. @param {number} id */
  shows(id) {
    return !this.kept || this.kept.has(id) || this.selected.includes(id);
  }

  /** What the slices colour ids with; null: each its own. */
  get inks() {
    const key = `${this.colouring ? this.colour : this.seed} ${this.keptBy}`;
    if (key !== this.dippedKey) {
      this.dippedKey = key;
      this.dipped = inksOf(this.colouring, this.kept, this.seed, key);
    }
    return this.dipped;
  }

  /** @returns {Paint} */
  paint() {
    return {
      window: this.window,
      invert: this.invert,
      opacity: [this.opacity[0] / 100, this.opacity[1] / 100],
      outline: this.outline,
      solo: this.solo,
      raw: this.held || this.hidden || this.labels === null,
      hover: this.hover,
      seed: this.seed,
      selected: this.selected,
      inks: this.inks,
    };
  }

  /** @param {Change} change */
  tell(change) {
    for (const listener of this.listeners) listener(change);
  }

  /** Drawn pixels per CSS pixel. */
  get ratio() {
    return (window.devicePixelRatio || 1) * this.detail;
  }

  /** The zoom in force, also when it is "fit". */
  get magnification() {
    return this.zoom ?? fitZoom(this.info, this.fitted, this.size.width, this.size.height);
  }

  /** The plane that "fit" fits: the large pane. @returns {Axis} */
  get fitted() {
    return this.layout === "quad" || this.layout === "3d" ? "z" : this.layout;
  }

  /** @param {Axis} axis @param {number} by sections */
  step(axis, by) {
    const { normal } = PLANES[axis];
    this.moveTo(normal, this.cross[normal] + by);
  }

  /** Move the planes along one axis. @param {0|1|2} along @param {number} index */
  moveTo(along, index) {
    const next = clamp(Math.round(index), 0, this.info.shape[along] - 1);
    if (next === this.cross[along]) return;
    this.cross[along] = next;
    this.tell("place");
  }

  /** Let the planes meet at a voxel; the panes stay where they look. @param {Triple} place */
  crossAt(place) {
    this.cross = /** @type {Triple} */ (
      place.map((v, a) => clamp(Math.round(v), 0, this.info.shape[a] - 1))
    );
    this.tell("place");
  }

  /** Bring a voxel to the middle of all panes. @param {Triple} place */
  goTo(place) {
    this.centre = [...place];
    this.crossAt(place);
  }

  /**
   * Shift what a plane shows; the crosshair goes along, so that the link shows the same place.
   * @param {Axis} axis @param {[number, number]} by voxels (rows, columns)
   * @param {[number, number]} from centre that the pane really uses (rows, columns)
   * @param {[number, number]} visible voxels in the pane (rows, columns)
   */
  pan(axis, by, from, visible) {
    const plane = PLANES[axis];
    /** @type {[0|1|2, number][]} */
    const moves = [[plane.row, 0], [plane.col, 1]];
    if (this.zoom === null) {
      this.zoom = this.magnification;
      this.centre = [...this.cross];
    }
    for (const [along, i] of moves) {
      const extent = this.info.shape[along];
      const to = keepInside(from[i] + by[i], extent, visible[i]);
      this.centre[along] = to;
      const moved = this.exact(along) + (to - from[i]);
      this.fraction[along] = moved - Math.round(moved);
      this.cross[along] = clamp(Math.round(moved), 0, extent - 1);
    }
    this.tell("place");
  }

  /** @type {Triple} What rounding the crosshair took away during a pan. */
  fraction = [0, 0, 0];

  /** @param {0|1|2} along */
  exact(along) {
    return this.cross[along] + this.fraction[along];
  }

  /**
   * Zoom so that a voxel stays where it is on the screen; the crosshair is kept in sight.
   * @param {number} factor
   * @param {{axis: Axis, at: [number, number], offset: [number, number], size: [number, number]}} anchor
   *   voxel `at` (row, column) stays `offset` CSS pixels (down, right) of the middle of a pane of `size`
   */
  zoomBy(factor, { axis, at, offset, size }) {
    if (this.zoom === null) this.centre = [...this.cross];
    const { width, height } = this.size;
    const least = fitZoom(this.info, "z", width, height) / 3;
    this.zoom = clamp(this.magnification * factor, Math.min(least, 1), 64);
    const perVoxel = scales(this.zoom, this.info.voxel_size_nm);
    const { row, col } = PLANES[axis];
    /** @type {[0|1|2, number][]} */
    const plane = [[row, 0], [col, 1]];
    for (const [along, i] of plane) {
      const visible = size[i] / perVoxel[along];
      const extent = this.info.shape[along];
      const to = keepInside(at[i] - offset[i] / perVoxel[along], extent, visible);
      this.centre[along] = to;
      const room = visible * 0.45;
      this.cross[along] = Math.round(clamp(clamp(this.cross[along], to - room, to + room), 0, extent - 1));
    }
    this.tell("zoom");
  }

  fit() {
    this.zoom = null;
    this.tell("zoom");
  }

  /** @param {Layout} layout one pane; asked for again, all four */
  show(layout) {
    this.layout = layout === this.layout ? "quad" : layout;
    if (this.layout !== "quad" && this.layout !== "3d") this.plane = this.layout;
    this.tell("layout");
  }

  /** @param {Axis} axis */
  activate(axis) {
    if (axis === this.plane) return;
    this.plane = axis;
    this.tell("hover");
  }

  /** @param {number} id @param {boolean} add */
  select(id, add) {
    if (add) {
      const others = this.selected.filter((s) => s !== id);
      if (others.length === this.selected.length) others.push(id);
      this.selected = others.slice(-MOST_SELECTED);
    } else {
      this.selected = [id];
    }
    this.tell("select");
  }

  clear() {
    if (this.selected.length === 0) return;
    this.selected = [];
    this.tell("select");
  }

  /**
   * Any of the plain switches.
   * @param {Partial<Pick<State, "beside" | "opacity" | "outline" | "window" | "invert" | "solo" | "seed" | "colour" | "colouring" | "kept" | "keptBy" | "held" | "hidden" | "bar">>} values
   */
  set(values) {
    Object.assign(this, values);
    this.tell("look");
  }

  /** @param {number} id */
  point(id) {
    if (id === this.hover) return;
    this.hover = id;
    this.tell("hover");
  }

  /** Boxes of the labels that a plane cuts. @param {0 | 1 | 2} normal @param {number} index */
  covering(normal, index) {
    return (this.labels?.coverage ?? []).filter(([start, stop]) => start[normal] <= index && index < stop[normal]);
  }

  /** Whether a section has labels. @param {number} z */
  covered(z) {
    return this.covering(0, z).length > 0;
  }

  /** Physical place of the crosshair in µm (x, y, z). */
  get micrometres() {
    return AXES.map((_, a) => (this.cross[a] * this.info.voxel_size_nm[a]) / 1000).reverse();
  }
}
