/**
 * Slices in WebGL 2. Grey tiles are R8 textures, label tiles integer textures; window, invert,
 * opacity, outline, solo, hover and colours are uniforms, so none of them costs a request.
 */

/** @import { Cell, Line, Paint, Renderer } from "./types.js" */
/** @import { Program } from "./programs.js" */
/** @import { Tile } from "./tiles.js" */
import { seedBits } from "./colour.js";
import { Programs } from "./programs.js";

/** @implements {Renderer} */
export class GlRenderer {
  /** @param {HTMLCanvasElement} canvas @param {WebGL2RenderingContext} gl */
  constructor(canvas, gl) {
    /** @type {"webgl2"} */
    this.kind = "webgl2";
    this.canvas = canvas;
    this.gl = gl;
    this.programs = new Programs(gl);
    /** @type {Paint | null} */
    this.paint = null;
    this.vertices = gl.createVertexArray();
    this.selected = texture(gl, 2);
    this.selectedKey = "none";
    this.probes = 0;
    this.table = texture(gl, 3);
    /** @type {import("./colouring.js").Inks | null | undefined} */
    this.inks = undefined; // of the table
    this.line = 1.25 * (window.devicePixelRatio || 1);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  }

  /** @param {Tile} tile */
  accept(tile) {
    const { gl } = this;
    if (tile.bitmap) {
      tile.held = texture(gl, 0);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, gl.RED, gl.UNSIGNED_BYTE, tile.bitmap);
      tile.bitmap.close();
      tile.bitmap = null;
      tile.bytes += tile.width * tile.height;
    } else if (tile.ids) {
      const narrow = tile.ids instanceof Uint16Array;
      tile.held = texture(gl, 1);
      gl.texImage2D(
        gl.TEXTURE_2D, 0, narrow ? gl.R16UI : gl.R32UI, tile.width, tile.height, 0,
        gl.RED_INTEGER, narrow ? gl.UNSIGNED_SHORT : gl.UNSIGNED_INT, tile.ids,
      );
      tile.bytes += 2 * tile.ids.byteLength;
    }
  }

  /** @param {Tile} tile */
  release(tile) {
    if (tile.held) this.gl.deleteTexture(/** @type {WebGLTexture} */ (tile.held));
    tile.held = null;
  }

  /** @param {number} width @param {number} height @param {number} ratio */
  resize(width, height, ratio) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.line = 1.25 * ratio;
  }

  /** @param {Paint} paint */
  begin(paint) {
    this.gl.bindVertexArray(this.vertices);
    this.choose(paint.selected);
    this.colour(paint.inks);
    this.paint = paint;
    this.programs.forget();
  }

  /** The program for a cell, told what holds for the whole frame. @param {Cell} cell @returns {Program} */
  use({ labels, beside, failed }) {
    const { gl } = this;
    const paint = /** @type {Paint} */ (this.paint);
    const held = !paint.raw && Boolean(labels?.tile.held);
    const { at, fresh } = this.programs.use([
      held && "LABELS",
      held && this.probes > 0 && "SELECTED",
      held && paint.inks !== null && "TABLE",
      !paint.raw && Boolean(beside?.tile.held) && "BESIDE",
      failed && "FAILED",
    ]);
    if (!fresh) return at;
    const [low, high] = paint.window;
    gl.uniform1i(at.uImage, 0);
    gl.uniform1i(at.uLabels, 1);
    gl.uniform1i(at.uSelected, 2);
    gl.uniform1i(at.uTable, 3);
    gl.uniform1i(at.uBeside, 4);
    gl.uniform1i(at.uTableBits, paint.inks?.table.bits ?? 0);
    gl.uniform1i(at.uTableProbes, paint.inks?.table.probes ?? 0);
    gl.uniform1i(at.uOnly, Number(paint.inks?.only ?? false));
    gl.uniform2f(at.uWindow, low / 255, 255 / Math.max(1, high - low));
    gl.uniform2f(at.uOpacity, ...paint.opacity);
    gl.uniform1ui(at.uSeed, seedBits(paint.seed));
    gl.uniform1ui(at.uHover, paint.hover);
    gl.uniform1i(at.uProbes, this.probes);
    gl.uniform1i(at.uInvert, Number(paint.invert));
    gl.uniform1i(at.uOutline, Number(paint.outline));
    gl.uniform1i(at.uSolo, Number(paint.solo));
    return at;
  }

  /** @param {[number, number, number, number]} area x, y, width, height in device pixels, y down @param {Cell[]} cells @param {Line[]} lines @param {number} ratio */
  draw(area, cells, lines, ratio) {
    const { gl } = this;
    const [x, y, width, height] = area;
    if (width < 1 || height < 1) return;
    const bottom = this.canvas.height - y - height;
    gl.viewport(x, bottom, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(x, bottom, width, height);
    gl.clearColor(0.043, 0.051, 0.063, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    for (const cell of cells) {
      const [x0, y0, x1, y1] = cell.rect;
      const at = this.use(cell);
      gl.uniform4f(at.uRect, (2 * x0) / width - 1, 1 - (2 * y0) / height, (2 * x1) / width - 1, 1 - (2 * y1) / height);
      gl.uniform4f(at.uEdges, ...cell.edges);
      const perPixel = (cell.edges[2] - cell.edges[0]) / (x1 - x0);
      const perPixelY = (cell.edges[3] - cell.edges[1]) / (y1 - y0);
      gl.uniform2f(at.uStep, perPixel * this.line, perPixelY * this.line);
      this.bindImage(cell, at);
      this.bindLabels(cell, at);
      this.bindBeside(cell, at);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    for (const line of lines) this.rule(line, area, ratio);
    gl.disable(gl.SCISSOR_TEST);
  }

  /** @param {Line} line @param {[number, number, number, number]} area @param {number} ratio */
  rule({ rect, colour }, [x, y, width, height], ratio) {
    const { gl } = this;
    const [x0, y0, x1, y1] = rect.map((v, i) => Math.max(0, Math.min(i % 2 ? height : width, Math.round(v * ratio))));
    if (x1 < x0 || y1 < y0) return;
    gl.scissor(x + x0, this.canvas.height - y - Math.max(y1, y0 + 1), Math.max(1, x1 - x0), Math.max(1, y1 - y0));
    const [red, green, blue] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
    gl.clearColor(red, green, blue, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  /** @param {Cell} cell @param {Program} at */
  bindImage({ image, sharp }, at) {
    const { gl } = this;
    gl.uniform1i(at.uHasImage, Number(image !== null));
    if (!image) return;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, /** @type {WebGLTexture} */ (image.tile.held));
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, sharp ? gl.NEAREST : gl.LINEAR);
    gl.uniform4f(at.uImageAt, 1 / image.fx, 1 / image.fy, image.ox, image.oy);
  }

  /** @param {Cell} cell @param {Program} at */
  bindLabels({ labels }, at) {
    const { gl } = this;
    if (!labels?.tile.held || at.uLabelsAt === null) return;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, /** @type {WebGLTexture} */ (labels.tile.held));
    gl.uniform4f(at.uLabelsAt, 1 / labels.fx, 1 / labels.fy, labels.ox, labels.oy);
    gl.uniform2i(at.uLabelsSize, labels.tile.width, labels.tile.height);
  }

  /** @param {Cell} cell @param {Program} at */
  bindBeside({ beside }, at) {
    const { gl } = this;
    if (!beside?.tile.held || at.uBesideAt === null) return;
    gl.activeTexture(gl.TEXTURE4);
    gl.bindTexture(gl.TEXTURE_2D, /** @type {WebGLTexture} */ (beside.tile.held));
    gl.uniform4f(at.uBesideAt, 1 / beside.fx, 1 / beside.fy, beside.ox, beside.oy);
    gl.uniform2i(at.uBesideSize, beside.tile.width, beside.tile.height);
  }

  /** Colours of single ids as a texture. @param {import("./colouring.js").Inks | null} inks */
  colour(inks) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE3);
    gl.bindTexture(gl.TEXTURE_2D, this.table);
    if (inks === this.inks) return;
    this.inks = inks;
    const { rows, cells } = inks?.table ?? { rows: 1, cells: new Uint32Array(512) };
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32UI, 256, rows, 0, gl.RG_INTEGER, gl.UNSIGNED_INT, cells);
  }

  /**
   * Selected ids as a table of 256 places in a texture: one or two fetches per pixel, not fifty.
   * @param {number[]} ids
   */
  choose(ids) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, this.selected);
    const key = ids.join();
    if (key === this.selectedKey) return;
    this.selectedKey = key;
    const table = new Uint32Array(256);
    this.probes = 0;
    for (const id of ids) {
      let place = (Math.imul(id, 2654435761) >>> 0) >>> 24;
      let probe = 1;
      while (table[place] !== 0) {
        place = (place + 1) & 255;
        probe += 1;
      }
      table[place] = id;
      this.probes = Math.max(this.probes, probe);
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32UI, 256, 1, 0, gl.RED_INTEGER, gl.UNSIGNED_INT, table);
  }

  destroy() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** @param {WebGL2RenderingContext} gl @param {number} unit @returns {WebGLTexture} bound, nearest, clamped */
function texture(gl, unit) {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}
