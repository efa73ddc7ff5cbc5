/**
 * Where voxels lie on the screen: planes, pyramid levels, tiles. No state, no DOM.
 *
 * Voxel i is centred on i, so it spans the edges i … i + 1 once half a voxel is added; "edge"
 * coordinates below are index + 0.5, and level f spans the edges j·f … (j + 1)·f.
 */

/** @import { Axis, Triple, VolumeInfo, LevelInfo } from "./types.js" */

export const TILE = 512;

/** @type {Record<Axis, {name: string, normal: 0|1|2, row: 0|1|2, col: 0|1|2}>} */
export const PLANES = {
  z: { name: "XY", normal: 0, row: 1, col: 2 },
  y: { name: "XZ", normal: 1, row: 0, col: 2 },
  x: { name: "YZ", normal: 2, row: 0, col: 1 },
};

/** @type {Axis[]} */
export const AXES = ["z", "y", "x"];

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * CSS pixels per level-0 voxel along each axis, at a zoom given in pixels per x voxel.
 * @param {number} zoom @param {Triple} voxel nm
 * @returns {Triple}
 */
export function scales(zoom, voxel) {
  return [(zoom * voxel[0]) / voxel[2], (zoom * voxel[1]) / voxel[2], zoom];
}

/**
 * The zoom at which a whole plane just fits a rectangle.
 * @param {VolumeInfo} info @param {Axis} axis @param {number} width @param {number} height
 */
export function fitZoom(info, axis, width, height) {
  const { row, col } = PLANES[axis];
  const voxel = info.voxel_size_nm;
  const wide = (width * voxel[2]) / (info.shape[col] * voxel[col]);
  const high = (height * voxel[2]) / (info.shape[row] * voxel[row]);
  return Math.min(wide, high) * 0.98;
}

/**
 * The centre that a pane really uses along one axis: in the middle where all fits, else never
 * past the edge of the volume.
 * @param {number} centre @param {number} extent voxels @param {number} visible voxels
 */
export function keepInside(centre, extent, visible) {
  if (visible >= extent) return (extent - 1) / 2;
  return clamp(centre, visible / 2 - 0.5, extent - 0.5 - visible / 2);
}

/**
 * The coarsest level whose voxels still are no larger than about a device pixel in the plane; of
 * levels alike in the plane the finest, which does not mix sections.
 * @param {VolumeInfo} info @param {Axis} axis @param {Triple} devicePerVoxel
 */
export function levelFor(info, axis, devicePerVoxel) {
  const { row, col } = PLANES[axis];
  const factors = info.levels.map((level) => level.factors);
  let level = factors.length - 1;
  while (level > 0 && [row, col].some((a) => factors[level][a] > 1 && factors[level][a] * devicePerVoxel[a] > 1.42)) {
    level -= 1;
  }
  return factors.findIndex((f) => f[row] === factors[level][row] && f[col] === factors[level][col]);
}

/**
 * Rows and columns of the tiles of a level that a stretch of edges touches.
 * @param {LevelInfo} level @param {Axis} axis
 * @param {[number, number, number, number]} edges x0, y0, x1, y1
 * @returns {{row: number, col: number}[]}
 */
export function tilesIn(level, axis, edges) {
  const plane = PLANES[axis];
  const [x0, y0, x1, y1] = edges;
  const range = (/** @type {0|1|2} */ a, /** @type {number} */ from, /** @type {number} */ to) => {
    const step = TILE * level.factors[a];
    const last = Math.ceil(level.shape[a] / TILE) - 1;
    return [clamp(Math.floor(from / step), 0, last), clamp(Math.ceil(to / step) - 1, 0, last)];
  };
  const [c0, c1] = range(plane.col, x0, x1);
  const [r0, r1] = range(plane.row, y0, y1);
  const found = [];
  for (let row = r0; row <= r1; row += 1) {
    for (let col = c0; col <= c1; col += 1) found.push({ row, col });
  }
  return found;
}

/**
 * A length to write under a scale bar: 1, 2 or 5 times a power of ten, at most `room` long.
 * @param {number} nmPerPixel @param {number} room CSS pixels
 * @returns {{nm: number, pixels: number, text: string}}
 */
export function scaleBar(nmPerPixel, room) {
  const most = nmPerPixel * room;
  const power = 10 ** Math.floor(Math.log10(most));
  const nm = power * ([5, 2, 1].find((step) => step * power <= most) ?? 1);
  return { nm, pixels: nm / nmPerPixel, text: formatNm(nm) };
}

/** Three digits that matter; whole numbers whole. @param {number} value */
export function formatNumber(value) {
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1000 || size < 1e-3 ? value.toLocaleString("en", { maximumSignificantDigits: 4 }) : value.toPrecision(3);
}

/** @param {number} nm */
export function formatNm(nm) {
  return nm >= 1000 ? `${Number((nm / 1000).toPrecision(3))} µm` : `${Number(nm.toPrecision(3))} nm`;
}

/**
 * What "go to" understands: `x,y,z` in voxels, the same in µm when marked so, or `#id`.
 * @param {string} text @param {VolumeInfo} info
 * @returns {{instance: number} | {place: Triple} | {error: string}}
 */
export function parsePlace(text, info) {
  const id = /^\s*#\s*(\d+)\s*$/.exec(text);
  if (id) return { instance: Number(id[1]) };
  const physical = /(µm|μm|um)/i.test(text);
  const numbers = text.replace(/(µm|μm|um)/gi, " ").match(/-?\d+(\.\d+)?/g)?.map(Number) ?? [];
  if (numbers.length !== 3) return { error: "Type x, y, z — or the same with µm — or #id" };
  const [x, y, z] = numbers;
  /** @type {Triple} */
  const place = [z, y, x];
  const index = place.map((v, a) => (physical ? (v * 1000) / info.voxel_size_nm[a] : v));
  const rounded = /** @type {Triple} */ (index.map(Math.round));
  const outside = rounded.findIndex((v, a) => v < 0 || v >= info.shape[a]);
  if (outside >= 0) {
    const name = "zyx"[outside];
    return { error: `${name} ${rounded[outside]} is outside 0 … ${info.shape[outside] - 1}` };
  }
  return { place: rounded };
}
