/**
 * Slices in WebGL 2. Grey tiles are R8 textures, label tiles integer textures; window, invert,
 * opacity, outline, solo, hover and colours are uniforms, so none of them costs a request.
 */

/** @import { Cell, Paint, Renderer } from "./types.js" */
/** @import { Tile } from "./tiles.js" */
import { COLOUR_GLSL, seedBits } from "./colour.js";

const VERTEX = `#version 300 es
uniform vec4 uRect;
uniform vec4 uEdges;
out vec2 vEdge;
void main() {
  vec2 unit = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(mix(uRect.xy, uRect.zw, unit), 0.0, 1.0);
  vEdge = mix(uEdges.xy, uEdges.zw, unit);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform sampler2D uImage;
uniform usampler2D uLabels;
uniform usampler2D uSelected;
uniform usampler2D uTable; // id and colour of every instance, hashed
uniform int uTableBits;    // places of the table as a power of 2; 0: colours by id
uniform int uTableProbes;
uniform vec4 uImageAt;   // 1 / texels per edge (x, y), first texel (x, y)
uniform vec4 uLabelsAt;
uniform ivec2 uLabelsSize;
uniform vec2 uStep;      // level-0 edges per outline width
uniform vec2 uWindow;    // grey 0 … 1: black, 1 / width
uniform vec2 uOpacity;   // selected, others
uniform uint uSeed;
uniform uint uHover;
uniform int uProbes;     // longest probe of the table of selected ids; 0: none selected
uniform bool uInvert, uOutline, uSolo, uHasImage, uHasLabels, uFailed;
in vec2 vEdge;
out vec4 pixel;
${COLOUR_GLSL}
uint labelAt(vec2 edge) {
  ivec2 texel = ivec2(floor(edge * uLabelsAt.xy - uLabelsAt.zw));
  return texelFetch(uLabels, clamp(texel, ivec2(0), uLabelsSize - 1), 0).r;
}
bool isSelected(uint id) {
  uint at = (id * 2654435761u) >> 24;
  for (int i = 0; i < uProbes; i++) {
    uint entry = texelFetch(uSelected, ivec2(int((at + uint(i)) & 255u), 0), 0).r;
    if (entry == id) return true;
    if (entry == 0u) return false;
  }
  return false;
}
vec3 inkOf(uint id) {
  if (uTableBits == 0) return colourOf(id);
  uint mask = (1u << uTableBits) - 1u;
  uint at = (id * 2654435761u) >> (32 - uTableBits);
  for (int i = 0; i < uTableProbes; i++) {
    uint place = (at + uint(i)) & mask;
    uvec2 entry = texelFetch(uTable, ivec2(int(place & 255u), int(place >> 8)), 0).rg;
    if (entry.r == id) return vec3(float(entry.g >> 16), float((entry.g >> 8) & 255u), float(entry.g & 255u)) / 255.0;
    if (entry.r == 0u) break;
  }
  return vec3(0.541, 0.588, 0.639);
}
bool isEdge(uint id) {
  return labelAt(vEdge + vec2(uStep.x, 0.0)) != id || labelAt(vEdge - vec2(uStep.x, 0.0)) != id
      || labelAt(vEdge + vec2(0.0, uStep.y)) != id || labelAt(vEdge - vec2(0.0, uStep.y)) != id;
}
void main() {
  vec3 colour = vec3(0.075, 0.086, 0.102);
  if (uHasImage) {
    vec2 size = vec2(textureSize(uImage, 0));
    float grey = texture(uImage, (vEdge * uImageAt.xy - uImageAt.zw) / size).r;
    grey = clamp((grey - uWindow.x) * uWindow.y, 0.0, 1.0);
    colour = vec3(uInvert ? 1.0 - grey : grey);
  }
  uint id = uHasLabels ? labelAt(vEdge) : 0u;
  if (id != 0u) {
    bool chosen = isSelected(id);
    bool hovered = id == uHover;
    float alpha = chosen ? uOpacity.x : (uSolo ? 0.0 : uOpacity.y);
    bool drawn = alpha > 0.0 || hovered;
    bool line = drawn && isEdge(id);
    vec3 own = inkOf(id);
    if (uOutline) alpha = line ? min(1.0, alpha * 2.2) : (hovered ? 0.12 : 0.0);
    else if (hovered) alpha = min(0.9, alpha + 0.12);
    if (line && !uOutline) alpha = min(1.0, alpha * 2.0);
    if (line && chosen) { own = mix(own, vec3(1.0), 0.55); alpha = 1.0; }
    if (line && hovered) { own = mix(own, vec3(1.0), 0.7); alpha = 0.95; }
    colour = mix(colour, own, alpha);
  }
  if (uFailed) {
    float stripe = step(0.82, fract((gl_FragCoord.x + gl_FragCoord.y) / 14.0));
    colour = mix(colour * 0.45, vec3(0.86, 0.52, 0.24), stripe * 0.55);
  }
  pixel = vec4(colour, 1.0);
}`;

const UNIFORMS = [
  "uRect", "uEdges", "uImage", "uLabels", "uSelected", "uImageAt", "uLabelsAt", "uLabelsSize", "uStep",
  "uWindow", "uOpacity", "uSeed", "uHover", "uProbes", "uInvert", "uOutline", "uSolo", "uHasImage",
  "uHasLabels", "uFailed", "uTable", "uTableBits", "uTableProbes",
];

/** @implements {Renderer} */
export class GlRenderer {
  /** @param {HTMLCanvasElement} canvas @param {WebGL2RenderingContext} gl */
  constructor(canvas, gl) {
    /** @type {"webgl2"} */
    this.kind = "webgl2";
    this.canvas = canvas;
    this.gl = gl;
    this.program = link(gl);
    /** @type {Record<string, WebGLUniformLocation | null>} */
    this.at = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(this.program, name)]));
    this.vertices = gl.createVertexArray();
    this.selected = texture(gl, 2);
    this.selectedKey = "none";
    this.probes = 0;
    this.table = texture(gl, 3);
    /** @type {import("./colouring.js").Colouring | null | undefined} */
    this.colouring = undefined; // of the table
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
    const { gl, at } = this;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.vertices);
    this.choose(paint.selected);
    this.colour(paint.colouring);
    gl.uniform1i(at.uImage, 0);
    gl.uniform1i(at.uLabels, 1);
    gl.uniform1i(at.uSelected, 2);
    gl.uniform1i(at.uTable, 3);
    gl.uniform1i(at.uTableBits, paint.colouring?.table.bits ?? 0);
    gl.uniform1i(at.uTableProbes, paint.colouring?.table.probes ?? 0);
    const [low, high] = paint.window;
    gl.uniform2f(at.uWindow, low / 255, 255 / Math.max(1, high - low));
    gl.uniform2f(at.uOpacity, ...paint.opacity);
    gl.uniform1ui(at.uSeed, seedBits(paint.seed));
    gl.uniform1ui(at.uHover, paint.raw ? 0 : paint.hover);
    gl.uniform1i(at.uProbes, this.probes);
    gl.uniform1i(at.uInvert, Number(paint.invert));
    gl.uniform1i(at.uOutline, Number(paint.outline));
    gl.uniform1i(at.uSolo, Number(paint.solo));
    this.raw = paint.raw;
  }

  /** @param {[number, number, number, number]} area x, y, width, height in device pixels, y down @param {Cell[]} cells */
  draw(area, cells) {
    const { gl, at } = this;
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
      gl.uniform4f(at.uRect, (2 * x0) / width - 1, 1 - (2 * y0) / height, (2 * x1) / width - 1, 1 - (2 * y1) / height);
      gl.uniform4f(at.uEdges, ...cell.edges);
      const perPixel = (cell.edges[2] - cell.edges[0]) / (x1 - x0);
      const perPixelY = (cell.edges[3] - cell.edges[1]) / (y1 - y0);
      gl.uniform2f(at.uStep, perPixel * this.line, perPixelY * this.line);
      gl.uniform1i(at.uFailed, Number(cell.failed));
      this.bindImage(cell);
      this.bindLabels(cell);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  /** @param {Cell} cell */
  bindImage({ image, sharp }) {
    const { gl, at } = this;
    gl.uniform1i(at.uHasImage, Number(image !== null));
    if (!image) return;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, /** @type {WebGLTexture} */ (image.tile.held));
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, sharp ? gl.NEAREST : gl.LINEAR);
    gl.uniform4f(at.uImageAt, 1 / image.fx, 1 / image.fy, image.ox, image.oy);
  }

  /** @param {Cell} cell */
  bindLabels({ labels }) {
    const { gl, at } = this;
    const held = labels?.tile.held ?? null;
    gl.uniform1i(at.uHasLabels, Number(held !== null && !this.raw));
    if (!labels || !held) return;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, /** @type {WebGLTexture} */ (held));
    gl.uniform4f(at.uLabelsAt, 1 / labels.fx, 1 / labels.fy, labels.ox, labels.oy);
    gl.uniform2i(at.uLabelsSize, labels.tile.width, labels.tile.height);
  }

  /** Colours by a measurement as a texture. @param {import("./colouring.js").Colouring | null} colouring */
  colour(colouring) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE3);
    gl.bindTexture(gl.TEXTURE_2D, this.table);
    if (colouring === this.colouring) return;
    this.colouring = colouring;
    const { rows, cells } = colouring?.table ?? { rows: 1, cells: new Uint32Array(512) };
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

/** @param {WebGL2RenderingContext} gl */
function link(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    const logs = gl.getAttachedShaders(program)?.map((s) => gl.getShaderInfoLog(s)).join(" ");
    throw new Error(`the slice shader does not link: ${gl.getProgramInfoLog(program)} ${logs}`);
  }
  return program;
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
