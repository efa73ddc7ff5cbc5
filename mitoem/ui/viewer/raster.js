/**
 * Slices on a plain 2-D canvas, for browsers without WebGL 2: the same tiles and the same colours,
 * mixed here instead of in a shader. Slower, and what is hovered is named but not lit up.
 */

/** @import { Cell, Line, Paint, Renderer, Source } from "./types.js" */
/** @import { Tile } from "./tiles.js" */
import { BESIDE_COLOUR, instanceColour } from "./colour.js";

/** @implements {Renderer} */
export class CanvasRenderer {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    /** @type {"canvas"} */
    this.kind = "canvas";
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.scratch = document.createElement("canvas");
    this.pencil = /** @type {CanvasRenderingContext2D} */ (
      this.scratch.getContext("2d", { willReadFrequently: true })
    );
    /** @type {Paint | null} */
    this.paint = null;
    this.key = "";
  }

  /** @param {Tile} tile */
  accept(tile) {
    if (tile.bitmap) {
      this.scratch.width = tile.width;
      this.scratch.height = tile.height;
      this.pencil.drawImage(tile.bitmap, 0, 0);
      const rgba = this.pencil.getImageData(0, 0, tile.width, tile.height).data;
      const grey = new Uint8Array(tile.width * tile.height);
      for (let i = 0; i < grey.length; i += 1) grey[i] = rgba[4 * i];
      tile.held = { grey };
      tile.bitmap.close();
      tile.bitmap = null;
      tile.bytes += 5 * grey.length;
    } else if (tile.ids) {
      tile.held = {};
      tile.bytes += tile.ids.byteLength + 4 * tile.ids.length;
    }
  }

  /** @param {Tile} tile */
  release(tile) {
    tile.held = null;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** @param {Paint} paint */
  begin(paint) {
    this.paint = paint;
    this.key = JSON.stringify({ ...paint, hover: 0, inks: paint.inks?.key });
  }

  /** @param {[number, number, number, number]} area @param {Cell[]} cells @param {Line[]} lines @param {number} ratio */
  draw([x, y, width, height], cells, lines, ratio) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.fillStyle = "#0b0d10";
    context.fillRect(x, y, width, height);
    context.translate(x, y);
    for (const cell of cells) {
      if (cell.image) this.place(this.greyPicture(cell.image), cell.image, cell, !cell.sharp);
      if (cell.labels?.tile.ids && !this.paint?.raw) {
        this.place(this.labelPicture(cell.labels), cell.labels, cell, false);
      }
      if (cell.beside?.tile.ids && !this.paint?.raw) {
        this.place(this.outlinePicture(cell.beside), cell.beside, cell, false);
      }
      if (cell.failed) this.hatch(cell);
    }
    for (const { rect, colour } of lines) {
      const [x0, y0, x1, y1] = rect.map((v) => Math.round(v * ratio));
      context.fillStyle = colour;
      if (x1 >= x0 && y1 >= y0) context.fillRect(x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0));
    }
    context.restore();
  }

  /** @param {ImageBitmap | HTMLCanvasElement} picture @param {Source} source @param {Cell} cell @param {boolean} smooth */
  place(picture, source, { rect, edges }, smooth) {
    const left = edges[0] / source.fx - source.ox;
    const top = edges[1] / source.fy - source.oy;
    const wide = (edges[2] - edges[0]) / source.fx;
    const high = (edges[3] - edges[1]) / source.fy;
    this.context.imageSmoothingEnabled = smooth;
    this.context.drawImage(picture, left, top, wide, high, rect[0], rect[1], rect[2] - rect[0], rect[3] - rect[1]);
  }

  /** @param {Source} source */
  greyPicture({ tile }) {
    const paint = /** @type {Paint} */ (this.paint);
    const key = `${paint.window}${paint.invert}`;
    const held = /** @type {{grey: Uint8Array, key?: string, picture?: HTMLCanvasElement}} */ (tile.held);
    if (held.key === key && held.picture) return held.picture;
    const [low, high] = paint.window;
    const image = new ImageData(tile.width, tile.height);
    const pixels = new Uint32Array(image.data.buffer);
    const shades = new Uint32Array(256).map((_, grey) => {
      const shade = Math.round(Math.min(255, Math.max(0, ((grey - low) * 255) / Math.max(1, high - low))));
      return 0xff000000 | ((paint.invert ? 255 - shade : shade) * 0x010101);
    });
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = shades[held.grey[i]];
    held.key = key;
    held.picture = picture(image);
    return held.picture;
  }

  /** @param {Source} source */
  labelPicture({ tile }) {
    const paint = /** @type {Paint} */ (this.paint);
    const held = /** @type {{key?: string, picture?: HTMLCanvasElement}} */ (tile.held);
    if (held.key === this.key && held.picture) return held.picture;
    const ids = /** @type {Uint16Array | Uint32Array} */ (tile.ids);
    const image = new ImageData(tile.width, tile.height);
    const pixels = new Uint32Array(image.data.buffer);
    const chosen = new Set(paint.selected);
    /** @type {Map<number, [number, number]>} fill and edge colour of an id */
    const colours = new Map();
    const { width } = tile;
    for (let i = 0; i < ids.length; i += 1) {
      const id = ids[i];
      if (id === 0) continue;
      let pair = colours.get(id);
      if (!pair) colours.set(id, (pair = inks(id, chosen.has(id), paint)));
      pixels[i] = pair[isEdge(ids, i, width) ? 1 : 0];
    }
    held.key = this.key;
    held.picture = picture(image);
    return held.picture;
  }

  /** @param {Source} source */
  outlinePicture({ tile }) {
    const held = /** @type {{outlines?: HTMLCanvasElement}} */ (tile.held);
    if (held.outlines) return held.outlines;
    const ids = /** @type {Uint16Array | Uint32Array} */ (tile.ids);
    const image = new ImageData(tile.width, tile.height);
    const pixels = new Uint32Array(image.data.buffer);
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(BESIDE_COLOUR.slice(i, i + 2), 16));
    const ink = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    for (let i = 0; i < ids.length; i += 1) if (ids[i] !== 0 && isEdge(ids, i, tile.width)) pixels[i] = ink;
    held.outlines = picture(image);
    return held.outlines;
  }

  /** @param {Cell} cell */
  hatch({ rect }) {
    const { context } = this;
    context.strokeStyle = "rgb(219 133 61 / 55%)";
    context.lineWidth = 2;
    context.beginPath();
    const height = rect[3] - rect[1];
    for (let x = rect[0] - height; x < rect[2]; x += 14) {
      context.moveTo(x, rect[3]);
      context.lineTo(x + height, rect[1]);
    }
    context.stroke();
  }

  destroy() {
    this.scratch.width = 0;
  }
}

/** @param {Uint16Array | Uint32Array} ids @param {number} i @param {number} width */
function isEdge(ids, i, width) {
  const id = ids[i];
  return ids[i - 1] !== id || ids[i + 1] !== id || ids[i - width] !== id || ids[i + width] !== id;
}

/** @param {ImageData} image */
function picture(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
  return canvas;
}

/** @param {number} id @param {boolean} chosen @param {Paint} paint @returns {[number, number]} little-endian RGBA */
function inks(id, chosen, paint) {
  let alpha = paint.opacity[chosen ? 0 : 1];
  if (paint.solo && !chosen) alpha = 0;
  const own = (paint.inks ? paint.inks.of(id) : null) ?? instanceColour(id, paint.seed);
  if (!chosen && paint.inks?.of(id) === null) return [0, 0];
  const ink = (/** @type {number[]} */ [r, g, b], /** @type {number} */ a) =>
    ((Math.round(255 * a) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const bright = own.map((c) => Math.round(c + (255 - c) * 0.55));
  const line = chosen ? ink(bright, 1) : ink(own, paint.outline ? Math.min(1, alpha * 2.2) : alpha);
  return [ink(own, paint.outline ? 0 : alpha), line];
}
