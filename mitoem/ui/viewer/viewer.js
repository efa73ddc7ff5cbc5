/** The viewer: panes, tiles, toolbar, strip and 3-D held together by one state and one clock. */

/** @import { Axis, Renderer, VolumeInfo, Wish } from "./types.js" */
import { Api } from "./api.js";
import { CardPanel } from "./card.js";
import { Colouring } from "./colouring.js";
import { el } from "./dom.js";
import { AXES } from "./geometry.js";
import { GlRenderer } from "./gl.js";
import { listenToKeys } from "./keys.js";
import { LegendBox } from "./legend.js";
import { Overlay } from "./overlay.js";
import { Pace } from "./pace.js";
import { Panes } from "./panes.js";
import { listenToPointer } from "./pointer.js";
import { CanvasRenderer } from "./raster.js";
import { Readout } from "./readout.js";
import { Ruler } from "./ruler.js";
import { Scene } from "./scene.js";
import { Slice } from "./slice.js";
import { State } from "./state.js";
import { Strip } from "./strip.js";
import { TileStore } from "./tiles.js";
import { Toolbar } from "./toolbar.js";
import { Visits } from "./visits.js";

const SETTLED = 250; // ms after the last movement that the state is reported
const SEEDS = 10000; // ways of dealing the colours
const WAIT = 60; // ms between looks at a pane whose tiles are under way

export class Viewer {
  /**
   * @param {HTMLElement} root @param {Api} api @param {VolumeInfo} info @param {Wish} wish
   * @param {(report: object) => void} report
   * @param {[string, string][]} columns name and title of what instances may be coloured by
   */
  constructor(root, api, info, wish, report, columns = []) {
    this.root = root;
    this.api = api;
    this.columns = columns;
    this.coloured = ""; // what the colours in force are of
    this.filtered = ""; // what the ids that are kept are of
    this.state = new State(info, wish);
    this.canvas = el("canvas", { class: "slices" });
    this.renderer = makeRenderer(this.canvas);
    this.report = report;
    this.reported = JSON.stringify(this.state.report());
    this.timer = 0;
    this.asked = 0;
    this.waiting = 0;
    this.dirty = true;
    this.pictured = false;
    this.pressed = true; // the toolbar no longer shows what is
    /** @type {string[]} */
    this.pictures = [];
    this.visits = new Visits(this.state, api, (text) => this.readout.say(text));
    /** @type {{slice: Slice, x: number, y: number} | null} */
    this.pointer = null;
    this.tiles = this.makeTiles();
    this.slices = AXES.map((axis) => new Slice(axis, this.state, this.tiles));
    this.overlays = this.slices.map((slice) => new Overlay(slice, this.state, {
      expand: () => this.state.show(slice.axis),
      retry: () => this.tiles.retry(),
    }));
    this.scene = new Scene(this.state, api, { expand: () => this.state.show("3d") });
    this.pace = new Pace((detail) => {
      if (detail !== this.state.detail) this.pictures = [];
      this.state.detail = detail;
      this.panes.resize(this.state, this.renderer);
      this.draw();
    });
    this.ruler = new Ruler(this.state);
    this.legend = new LegendBox(this.state);
    this.card = new CardPanel(this.state, api, {
      visit: (id) => void this.visits.visit(id).then((problem) => problem && this.readout.say(problem)),
      say: (text) => this.readout.say(text),
    });
    this.toolbar = new Toolbar(this);
    this.strip = new Strip(this.state, () => this.state.activate("z"), this.toolbar.buttonsOf("section"));
    this.readout = new Readout(this.state, api);
    this.panes = new Panes(root, this.canvas, this.overlays, this.scene.root);
    this.build();
  }

  build() {
    this.root.replaceChildren(
      this.toolbar.root, el("div", { class: "body" }, this.panes.root, this.card.root), this.strip.root, this.readout.root, this.toolbar.panelRoot,
    );
    this.slices.forEach((slice, i) => listenToPointer(this.overlays[i].root, slice, this));
    this.unlisten = listenToKeys(this.root, this);
    this.state.listeners.add((change) => this.changed(change));
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.panes.root);
    this.onResize = () => this.panes.fill();
    window.addEventListener("resize", this.onResize);
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.restore());
    this.panes.fill();
    this.card.update();
    this.arrange();
    this.follow();
    void this.recolourBy();
    void this.refilter();
  }

  makeTiles() {
    const memory = /** @type {any} */ (navigator).deviceMemory ?? 8;
    return new TileStore({
      address: (key) => this.api.tile(key, this.version(key)),
      renderer: this.renderer,
      arrived: () => this.invalidate(),
      budget: (memory <= 4 ? 128 : 256) * 2 ** 20,
    });
  }

  /** A new WebGL context has none of the old one's textures. */
  restore() {
    this.tiles.clear();
    this.renderer = makeRenderer(this.canvas);
    this.tiles.renderer = this.renderer;
    this.measure();
  }

  /** @param {string} key of a tile */
  version(key) {
    const layer = key.slice(0, key.indexOf("/"));
    const { info } = this.state;
    return layer === "image" ? info.version : (info.labels.find((set) => set.name === layer)?.version ?? "");
  }

  /** @param {import("./state.js").Change} change */
  changed(change) {
    if (change === "layout") this.arrange();
    if (change === "select" || change === "look") this.card.update();
    if (change === "look") void this.recolourBy();
    if (change === "look") void this.refilter();
    if (change === "place" || change === "zoom") this.follow();
    if (change === "select" || change === "layout") this.scene.update();
    else if (change !== "hover") this.scene.updateSoon();
    this.dirty = true;
    this.pressed ||= change !== "place" && change !== "hover";
    this.invalidate();
    if (change !== "hover") this.settle();
  }

  /** Colours by id, in another order. */
  recolour() {
    this.state.set({ colour: "id", seed: (this.state.seed + 1) % SEEDS });
  }

  /** Get the colours that the state asks for; by id until they are here. */
  async recolourBy() {
    const { state } = this;
    const { colour, labels } = state;
    const against = colour === "error" ? (state.beside?.name ?? "") : "";
    const wanted = colour === "id" || !labels ? "" : `${labels.name} ${labels.version} ${colour} ${against}`;
    if (wanted === this.coloured) return;
    this.coloured = wanted;
    let colouring = null;
    try {
      if (wanted && labels) colouring = new Colouring(await this.api.colours(labels.name, colour, against));
    } catch (error) {
      if (this.coloured !== wanted) return;
      this.readout.say(`Coloured by id: ${error instanceof Error ? error.message : error}`);
      this.coloured = "";
      return state.set({ colour: "id", colouring: null });
    }
    if (this.coloured !== wanted) return;
    state.set({ colouring });
    this.legend.draw();
  }

  /** Get the ids that the filter keeps; everything is shown until they are here. */
  async refilter() {
    const { state } = this;
    const { filter, labels } = state;
    const wanted = filter && labels ? `${labels.name} ${labels.version} ${filter}` : "";
    if (wanted === this.filtered) return;
    this.filtered = wanted;
    let kept = null;
    try {
      if (wanted && labels) kept = new Set((await this.api.rows(labels.name, filter, "instance_id")).map((row) => Number(row.instance_id)));
    } catch (error) {
      if (this.filtered === wanted) this.readout.say(`Not filtered: ${error instanceof Error ? error.message : error}`);
    }
    if (this.filtered !== wanted) return;
    state.set({ kept, keptBy: kept ? filter : "" });
    this.scene.update();
  }

  /** A still pointer comes to lie over another voxel when the picture moves. */
  follow() {
    if (this.pointer) this.point(this.pointer.slice, this.pointer);
    else this.readout.show(this.state.cross, null);
  }

  /** Report what has come to rest; not while a finger or the mouse is down. */
  settle() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (this.state.gripped) return this.settle();
      const state = this.state.report();
      const text = JSON.stringify(state);
      if (text === this.reported) return;
      this.reported = text;
      this.report(state);
    }, SETTLED);
  }

  /** A view that Python wishes; what it says is not reported back. @param {Wish} wish */
  apply(wish) {
    this.state.apply(wish);
    this.reported = JSON.stringify(this.state.report());
    this.strip.drawn = "";
  }

  /** Show the panes of the layout, at the sizes that the page gives them. */
  arrange() {
    this.panes.arrange(this.state.layout);
    this.overlays[AXES.indexOf(this.state.fitted)].root.append(this.legend.root);
    this.measure();
    this.scene.show(!this.scene.root.hidden && (this.pictured || this.state.layout === "3d"));
  }

  /** The slices first: plotly.js is 5 MB of script, and keeps the page busy when it comes. */
  firstPicture() {
    this.pictured = true;
    requestAnimationFrame(() => {
      performance.mark("mitoem first picture");
      this.scene.show(!this.scene.root.hidden);
    });
  }

  measure() {
    if (!this.panes.measure(this.slices, this.state, this.renderer)) return;
    this.pictures = [];
    this.strip.drawn = "";
    this.scene.resize();
    const { pointer } = this;
    if (pointer && (pointer.x > pointer.slice.rect.width || pointer.y > pointer.slice.rect.height)) this.point(null, pointer);
    this.dirty = this.pressed = true;
    this.draw();
  }

  /** Ask for one drawing in the next frame. */
  invalidate() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.asked);
    this.asked = 0;
    const now = performance.now();
    const { ratio } = this.state;
    const wants = [];
    const keep = new Set();
    let settled = this.state.detail === 1;
    const paint = this.state.paint();
    const look = JSON.stringify({ ...paint, inks: paint.inks?.key });
    this.renderer.begin(paint);
    for (const [i, slice] of this.slices.entries()) {
      if (!slice.visible || slice.rect.width === 0) continue;
      const state = slice.update(now);
      const cells = slice.cells(state);
      const { x, y, width, height } = slice.rect;
      const area = /** @type {[number, number, number, number]} */ ([x, y, width, height].map((v) => Math.round(v * ratio)));
      const lines = [...this.overlays[i].coverage(), ...this.overlays[i].crosshair()];
      const picture = look + describe(area, cells, lines);
      if (this.pictures[i] !== picture) {
        this.pictures[i] = picture;
        this.renderer.draw(area, cells, lines, ratio);
      }
      this.overlays[i].draw(cells);
      if (this.ruler.slice === slice) this.ruler.draw();
      wants.push(...slice.wants(state, slice.axis === this.leading, !this.pace.moving));
      for (const key of slice.worthKeeping(state.edges)) keep.add(key);
      settled = settled && state.settled;
    }
    this.tiles.want(wants, keep);
    if (!settled) this.lookAgain();
    else if (!this.pictured) this.firstPicture();
    this.root.dataset.settled = String(settled);
    this.readout.level((this.pointer?.slice ?? this.slice(this.state.plane)).drawn);
    this.panes.tell(this.tiles.offline, this.renderer.kind === "canvas");
    if (this.dirty) {
      this.dirty = false;
      if (this.pressed) this.toolbar.draw();
      this.pressed = false;
      this.strip.draw();
    }
  }

  /** The pane that a person works in: its tiles come first and its neighbours are fetched ahead. @returns {Axis} */
  get leading() {
    return this.state.plane;
  }

  lookAgain() {
    if (this.waiting) return;
    this.waiting = window.setTimeout(() => {
      this.waiting = 0;
      this.invalidate();
    }, WAIT);
  }

  /** @param {Axis} axis */
  slice(axis) {
    return this.slices[AXES.indexOf(axis)];
  }

  /** @param {number} by */
  step(by) {
    this.state.step(this.state.plane, by);
  }

  /**
   * @param {number} factor
   * @param {{slice: Slice, x: number, y: number}} [where] else the pointer, else the crosshair
   */
  zoom(factor, where = this.pointer ?? undefined) {
    const { state } = this;
    const active = this.slice(state.plane);
    const slice = where?.slice ?? (active.visible ? active : this.slice("z"));
    const { width, height } = slice.rect;
    const [x, y] = where ? [where.x, where.y] : slice.pointOf(state.cross);
    state.zoomBy(factor, {
      axis: slice.axis, at: slice.placeAt(x, y), offset: [y - height / 2, x - width / 2], size: [height, width],
    });
    this.pace.moved();
  }

  /** @param {Slice} slice @param {number} dx CSS pixels @param {number} dy */
  drag(slice, dx, dy) {
    const frame = slice.frame();
    const by = /** @type {[number, number]} */ ([
      dy / frame.perVoxel[slice.plane.row], dx / frame.perVoxel[slice.plane.col],
    ]);
    this.state.pan(slice.axis, by, [frame.row, frame.col], frame.across);
    this.pace.moved();
  }

  /** @param {number} down @param {number} right @param {{shiftKey: boolean}} event */
  nudge(down, right, event) {
    const slice = this.slice(this.state.plane);
    const step = event.shiftKey ? 200 : 40;
    this.drag(slice.visible ? slice : this.slice("z"), right * step, down * step);
  }

  /** @param {Slice} slice @param {{x: number, y: number}} at */
  click(slice, at) {
    if (this.ruler.on) return this.ruler.click(slice, this.overlays[this.slices.indexOf(slice)].root, at);
    const voxel = slice.voxelAt(at.x, at.y);
    if (voxel) this.state.crossAt(voxel);
  }

  /** @param {Slice | null} slice @param {{x: number, y: number}} at */
  point(slice, at) {
    this.pointer = slice ? { slice, x: at.x, y: at.y } : null;
    if (slice) this.ruler.point(slice, at);
    const voxel = slice?.voxelAt(at.x, at.y) ?? null;
    const below = slice && voxel ? slice.idAt(voxel) : 0;
    const id = this.state.shows(below) ? below : 0;
    this.state.point(id);
    for (const overlay of this.overlays) overlay.name(overlay.slice === slice ? id : 0, at);
    this.readout.show(voxel ?? this.state.cross, voxel ? id : null);
  }

  /** @param {number} by per cent */
  fade(by) {
    const opacity = /** @type {[number, number]} */ (this.state.opacity.map((v) => Math.min(100, Math.max(0, v + by))));
    this.state.set({ opacity });
  }

  /** @param {string} panel */
  toggle(panel) {
    this.toolbar.toggle(panel);
  }

  /** @returns {boolean} whether something was open */
  close() {
    if (this.toolbar.close()) return true;
    if (!this.ruler.on) return false;
    this.ruler.toggle(false);
    return true;
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.waiting);
    this.pace.destroy();
    cancelAnimationFrame(this.asked);
    this.asked = -1; // a late answer asks for no frame
    this.observer?.disconnect();
    window.removeEventListener("resize", this.onResize ?? (() => {}));
    this.unlisten?.();
    this.readout.destroy();
    this.scene.destroy();
    this.tiles.clear();
    this.renderer.destroy();
  }
}

/**
 * A pane is drawn again only when this differs: what it shows, and where.
 * @param {number[]} area @param {import("./types.js").Cell[]} cells @param {import("./types.js").Line[]} lines
 */
function describe(area, cells, lines) {
  const parts = cells.map((c) => `${c.rect} ${c.image?.tile.key} ${c.labels?.tile.key} ${c.failed} ${c.sharp}`);
  return `${area} ${parts.join("|")} ${lines.map((line) => line.rect).join("|")}`;
}

/** @param {HTMLCanvasElement} canvas @returns {Renderer} */
function makeRenderer(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true });
  return gl ? new GlRenderer(canvas, gl) : new CanvasRenderer(canvas);
}

