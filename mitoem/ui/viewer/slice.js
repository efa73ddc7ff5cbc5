/**
 * One slice pane: which tiles it needs, which of those at hand it draws, and what lies under a
 * point of it.
 *
 * Never blank: while the tiles of a new section are under way the pane goes on showing the last
 * one; after a short hold a coarse picture of the new section will do. One section at a time is
 * "in service" (loaded in full), so a fast scrub always finishes some of the sections it passes.
 */

/** @import { Axis, Cell, Source, Triple } from "./types.js" */
/** @import { State } from "./state.js" */
/** @import { TileStore, Want } from "./tiles.js" */
import { PLANES, TILE, keepInside, levelFor, scales, tilesIn } from "./geometry.js";
import { GUESS, tileLength } from "./tiles.js";

const HOLD = 110; // ms that the last section is shown in full rather than the new one coarsely
const SERVICE = 350; // ms after which a section that does not complete gives way to a newer one
const FINER = 40; // most cells drawn from a finer level while a coarser one is loading

export class Slice {
  /** @param {Axis} axis @param {State} state @param {TileStore} tiles */
  constructor(axis, state, tiles) {
    this.axis = axis;
    this.plane = PLANES[axis];
    this.state = state;
    this.tiles = tiles;
    this.rect = { x: 0, y: 0, width: 0, height: 0 }; // CSS pixels in the canvas
    this.visible = false;
    this.target = -1;
    this.shown = -1;
    this.shownAt = 0;
    this.service = -1;
    this.serviceAt = 0;
    this.direction = 1;
    /** @type {number[]} */
    this.recent = [];
    this.drawn = 0; // level
  }

  /** Scales, centre and level for the size and place of now. */
  frame() {
    const { state, plane, rect } = this;
    const { info } = state;
    const perVoxel = scales(state.magnification, info.voxel_size_nm);
    const across = [rect.height / perVoxel[plane.row], rect.width / perVoxel[plane.col]];
    const middle = state.zoom === null ? /** @type {Triple} */ (info.shape.map((n) => (n - 1) / 2)) : state.centre;
    const row = this.reach(keepInside(middle[plane.row], info.shape[plane.row], across[0]), plane.row, across[0]);
    const col = this.reach(keepInside(middle[plane.col], info.shape[plane.col], across[1]), plane.col, across[1]);
    const device = /** @type {Triple} */ (perVoxel.map((s) => s * (window.devicePixelRatio || 1)));
    return {
      perVoxel, row, col, ratio: state.ratio,
      across: /** @type {[number, number]} */ (across),
      level: levelFor(info, this.axis, device),
    };
  }

  /**
   * A centre from which the crosshair can be seen.
   * @param {number} centre @param {0|1|2} along @param {number} across
   */
  reach(centre, along, across) {
    const cross = this.state.cross[along];
    const room = across * 0.46;
    return Math.max(cross - room, Math.min(cross + room, centre));
  }

  /** Visible part of the plane in edges, x0 y0 x1 y1. @param {ReturnType<Slice["frame"]>} frame @returns {[number, number, number, number]} */
  window(frame) {
    const { shape } = this.state.info;
    const [high, wide] = frame.across;
    return [
      Math.max(0, frame.col + 0.5 - wide / 2),
      Math.max(0, frame.row + 0.5 - high / 2),
      Math.min(shape[this.plane.col], frame.col + 0.5 + wide / 2),
      Math.min(shape[this.plane.row], frame.row + 0.5 + high / 2),
    ];
  }

  /** @param {string} layer @param {number} level @param {number} index level 0 @param {number} row @param {number} col */
  key(layer, level, index, row, col) {
    const at = Math.floor(index / this.state.info.levels[level].factors[this.plane.normal]);
    return `${layer}/${this.axis}/${level}/${at}/${row}/${col}`;
  }

  get layers() {
    const { labels, beside } = this.state;
    return ["image", ...[labels, beside].flatMap((set) => (set ? [set.name] : []))];
  }

  /**
   * Whether all visible tiles of a section are at hand (or known to be broken).
   * @param {number} index @param {number} level @param {[number, number, number, number]} edges
   */
  complete(index, level, edges) {
    return tilesIn(this.state.info.levels[level], this.axis, edges).every(({ row, col }) =>
      this.layers.every((layer) => this.tiles.has(this.key(layer, level, index, row, col))),
    );
  }

  /** Take a new place in; decide what is shown. @param {number} now */
  update(now) {
    const index = this.state.cross[this.plane.normal];
    if (index !== this.target) {
      this.direction = Math.sign(index - this.target) || 1;
      if (this.target >= 0) this.recent = [this.target, ...this.recent].slice(0, 3);
      this.target = index;
    }
    const frame = this.frame();
    const edges = this.window(frame);
    const coarsest = this.state.info.levels.length - 1;
    const whole = (/** @type {number} */ i) => this.complete(i, frame.level, edges);
    if (this.service < 0 || this.service === this.target || whole(this.service) || now - this.serviceAt > SERVICE) {
      if (this.service !== this.target) this.serviceAt = now;
      const passed = this.service;
      this.service = this.target;
      if (passed >= 0 && passed !== this.target && this.nearer(passed) && whole(passed)) this.reveal(passed, now);
    }
    if (this.shown !== this.target) {
      const waited = now - this.shownAt > HOLD || this.shown < 0;
      if (whole(this.target) || (waited && this.complete(this.target, coarsest, edges))) {
        this.reveal(this.target, now);
      } else if (waited) {
        const other = this.recent.find((i) => this.nearer(i) && this.complete(i, coarsest, edges));
        if (other !== undefined) this.reveal(other, now);
      }
    }
    this.drawn = this.drawLevel(frame.level, edges);
    return { frame, edges, settled: this.shown === this.target && whole(this.target) };
  }

  /** @param {number} index */
  nearer(index) {
    return this.shown < 0 || Math.abs(index - this.target) < Math.abs(this.shown - this.target);
  }

  /** @param {number} index @param {number} now */
  reveal(index, now) {
    this.shown = index;
    this.shownAt = now;
  }

  /** Zooming out keeps the finer level until the coarser one is there. @param {number} want @param {[number, number, number, number]} edges */
  drawLevel(want, edges) {
    if (want <= this.drawn || this.complete(this.shown, want, edges)) return want;
    const cells = tilesIn(this.state.info.levels[this.drawn], this.axis, edges).length;
    return cells <= FINER ? this.drawn : want;
  }

  /**
   * The tiles to ask for, with their urgency; the large pane before the others.
   * @param {ReturnType<Slice["update"]>} now @param {boolean} main
   * @param {boolean} still no hand moves the picture: a guess at the next section is worth its time @returns {Want[]}
   */
  wants({ frame, edges, settled }, main, still) {
    /** @type {Want[]} */
    const list = [];
    const coarsest = this.state.info.levels.length - 1;
    const rank = main ? 0 : 20;
    this.add(list, this.target, coarsest, edges, rank);
    // The other planes sweep through many sections during a drag: coarse ones will do until it ends.
    if (main || !this.state.gripped) this.add(list, this.service, frame.level, edges, rank + 5);
    if (settled && main && still) {
      const factor = this.state.info.levels[frame.level].factors[this.plane.normal];
      const ahead = [1, 2, -1, 3].map((k) => this.target + k * this.direction * factor);
      ahead.forEach((index, i) => {
        if (index < 0 || index >= this.state.info.shape[this.plane.normal]) return;
        this.add(list, index, frame.level, edges, GUESS + 2 * i);
        if (i === 0) this.add(list, index, coarsest, edges, GUESS);
      });
    }
    return list;
  }

  /** Coarse tiles of sections just passed: not asked for, but worth finishing. @param {[number, number, number, number]} edges */
  worthKeeping(edges) {
    /** @type {Want[]} */
    const list = [];
    for (const index of this.recent) this.add(list, index, this.state.info.levels.length - 1, edges, 0);
    return list.map((want) => want.key);
  }

  /** @param {Want[]} list @param {number} index @param {number} level @param {[number, number, number, number]} edges @param {number} priority */
  add(list, index, level, edges, priority) {
    const info = this.state.info.levels[level];
    for (const { row, col } of tilesIn(info, this.axis, edges)) {
      const width = tileLength(info.shape[this.plane.col], col);
      const height = tileLength(info.shape[this.plane.row], row);
      this.layers.forEach((layer, i) => {
        list.push({ key: this.key(layer, level, index, row, col), priority: priority + i, width, height });
      });
    }
  }

  /** What to draw now. @param {ReturnType<Slice["update"]>} now @returns {Cell[]} */
  cells({ frame, edges }) {
    const { state, plane, rect } = this;
    const level = state.info.levels[this.drawn];
    const [wide, high] = [level.factors[plane.col] * TILE, level.factors[plane.row] * TILE];
    const sx = frame.perVoxel[plane.col] * frame.ratio;
    const sy = frame.perVoxel[plane.row] * frame.ratio;
    const left = (rect.width * frame.ratio) / 2 - (frame.col + 0.5) * sx;
    const top = (rect.height * frame.ratio) / 2 - (frame.row + 0.5) * sy;
    return tilesIn(level, this.axis, edges).map(({ row, col }) => {
      const x0 = col * wide;
      const y0 = row * high;
      const x1 = Math.min(x0 + wide, state.info.shape[plane.col]);
      const y1 = Math.min(y0 + high, state.info.shape[plane.row]);
      const image = this.find("image", this.drawn, row, col);
      const labels = state.labels ? this.find(state.labels.name, this.drawn, row, col) : null;
      const beside = state.beside ? this.find(state.beside.name, this.drawn, row, col) : null;
      const failed = this.layers.some(
        (layer) => this.tiles.tiles.get(this.key(layer, this.drawn, this.shown, row, col))?.state === "failed",
      );
      const sharp = image !== null && (sx / state.detail) * Math.min(image.fx, image.fy) > 1.5 && image.fx === level.factors[plane.col];
      return {
        rect: [left + x0 * sx, top + y0 * sy, left + x1 * sx, top + y1 * sy],
        edges: [x0, y0, x1, y1], image, labels, beside, failed, sharp,
      };
    });
  }

  /**
   * The best tile at hand for a place: of the level itself, else of a coarser one.
   * @param {string} layer @param {number} level @param {number} row @param {number} col
   * @returns {Source | null}
   */
  find(layer, level, row, col) {
    const { levels } = this.state.info;
    const own = levels[level].factors;
    for (let l = level; l < levels.length; l += 1) {
      const f = levels[l].factors;
      const r = Math.floor((row * own[this.plane.row]) / f[this.plane.row]);
      const c = Math.floor((col * own[this.plane.col]) / f[this.plane.col]);
      const tile = this.tiles.get(this.key(layer, l, this.shown, r, c));
      if (tile?.state !== "ready") continue;
      return { tile, fx: f[this.plane.col], fy: f[this.plane.row], ox: c * TILE, oy: r * TILE };
    }
    return null;
  }

  /** The level-0 voxel under a point of the pane, or null outside. @param {number} x @param {number} y CSS pixels @returns {Triple | null} */
  voxelAt(x, y) {
    const [row, col] = this.placeAt(x, y);
    const { shape } = this.state.info;
    /** @type {Triple} */
    const voxel = [0, 0, 0];
    voxel[this.plane.normal] = this.state.cross[this.plane.normal];
    voxel[this.plane.row] = Math.round(row);
    voxel[this.plane.col] = Math.round(col);
    return voxel.every((v, a) => v >= 0 && v < shape[a]) ? voxel : null;
  }

  /** Fractional row and column under a point. @param {number} x @param {number} y @returns {[number, number]} */
  placeAt(x, y) {
    const frame = this.frame();
    return [
      frame.row + (y - this.rect.height / 2) / frame.perVoxel[this.plane.row],
      frame.col + (x - this.rect.width / 2) / frame.perVoxel[this.plane.col],
    ];
  }

  /** CSS pixels in the pane of a voxel. @param {Triple} voxel @returns {[number, number]} */
  pointOf(voxel) {
    const frame = this.frame();
    return [
      this.rect.width / 2 + (voxel[this.plane.col] - frame.col) * frame.perVoxel[this.plane.col],
      this.rect.height / 2 + (voxel[this.plane.row] - frame.row) * frame.perVoxel[this.plane.row],
    ];
  }

  /** Instance at a voxel according to the tiles at hand; 0 for none or not known yet. @param {Triple} voxel */
  idAt(voxel) {
    const { labels, info } = this.state;
    if (!labels) return 0;
    for (let level = this.drawn; level < info.levels.length; level += 1) {
      const f = info.levels[level].factors;
      const y = Math.floor((voxel[this.plane.row] + 0.0) / f[this.plane.row]);
      const x = Math.floor((voxel[this.plane.col] + 0.0) / f[this.plane.col]);
      const key = this.key(labels.name, level, this.shown, Math.floor(y / TILE), Math.floor(x / TILE));
      const tile = this.tiles.tiles.get(key);
      if (tile?.state !== "ready") continue;
      return tile.ids ? tile.ids[(y % TILE) * tile.width + (x % TILE)] : 0;
    }
    return 0;
  }
}
