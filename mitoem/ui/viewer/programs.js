/**
 * The shaders of the slices: one program for each combination of what a cell needs, made when it
 * is first drawn. Software WebGL runs every branch for every pixel, so a cell without labels must
 * not carry their code, and what only labelled pixels need stands in a loop: loops are left early.
 */

import { BESIDE_COLOUR, COLOUR_GLSL } from "./colour.js";

/** @typedef {"LABELS" | "SELECTED" | "TABLE" | "BESIDE" | "FAILED"} Part */
/** @typedef {Record<string, WebGLUniformLocation | null>} Program  Where its uniforms are. */

const VERTEX = `#version 300 es
uniform vec4 uRect;
uniform vec4 uEdges;
out vec2 vEdge;
void main() {
  vec2 unit = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(mix(uRect.xy, uRect.zw, unit), 0.0, 1.0);
  vEdge = mix(uEdges.xy, uEdges.zw, unit);
}`;

const LABELS = `
uniform usampler2D uLabels;
uniform vec4 uLabelsAt;  // 1 / texels per edge (x, y), first texel (x, y)
uniform ivec2 uLabelsSize;
uniform vec2 uOpacity;   // selected, others
uniform uint uSeed;
uniform uint uHover;
uniform bool uOutline, uSolo;
${COLOUR_GLSL}
uint labelAt(vec2 edge) {
  ivec2 texel = ivec2(floor(edge * uLabelsAt.xy - uLabelsAt.zw));
  return texelFetch(uLabels, clamp(texel, ivec2(0), uLabelsSize - 1), 0).r;
}
bool isEdge(uint id) {
  return labelAt(vEdge + vec2(uStep.x, 0.0)) != id || labelAt(vEdge - vec2(uStep.x, 0.0)) != id
      || labelAt(vEdge + vec2(0.0, uStep.y)) != id || labelAt(vEdge - vec2(0.0, uStep.y)) != id;
}
#ifdef SELECTED
uniform usampler2D uSelected;
uniform int uProbes;     // longest probe of the table of selected ids
bool isSelected(uint id) {
  uint at = (id * 2654435761u) >> 24;
  for (int i = 0; i < uProbes; i++) {
    uint entry = texelFetch(uSelected, ivec2(int((at + uint(i)) & 255u), 0), 0).r;
    if (entry == id) return true;
    if (entry == 0u) return false;
  }
  return false;
}
#endif
#ifdef TABLE
uniform usampler2D uTable; // id and colour of every instance, hashed
uniform int uTableBits;    // places of the table as a power of 2
uniform int uTableProbes;
uniform bool uOnly;        // what is not in the table is left out
vec3 inkOf(uint id, out bool listed) {
  listed = true;
  uint mask = (1u << uTableBits) - 1u;
  uint at = (id * 2654435761u) >> (32 - uTableBits);
  for (int i = 0; i < uTableProbes; i++) {
    uint place = (at + uint(i)) & mask;
    uvec2 entry = texelFetch(uTable, ivec2(int(place & 255u), int(place >> 8)), 0).rg;
    if (entry.r == id) return vec3(float(entry.g >> 16), float((entry.g >> 8) & 255u), float(entry.g & 255u)) / 255.0;
    if (entry.r == 0u) break;
  }
  listed = false;
  return vec3(0.541, 0.588, 0.639);
}
#endif
vec3 inked(vec3 colour, uint id) {
#ifdef SELECTED
  bool chosen = isSelected(id);
#else
  bool chosen = false;
#endif
#ifdef TABLE
  bool listed;
  vec3 own = inkOf(id, listed);
  if (uOnly && !listed && !chosen) return colour;
#else
  vec3 own = colourOf(id);
#endif
  bool hovered = id == uHover;
  float alpha = chosen ? uOpacity.x : (uSolo ? 0.0 : uOpacity.y);
  bool line = (alpha > 0.0 || hovered) && isEdge(id);
  if (uOutline) alpha = line ? min(1.0, alpha * 2.2) : (hovered ? 0.12 : 0.0);
  else if (hovered) alpha = min(0.9, alpha + 0.12);
  if (line && !uOutline) alpha = min(1.0, alpha * 2.0);
  if (line && chosen) { own = mix(own, vec3(1.0), 0.55); alpha = 1.0; }
  if (line && hovered) { own = mix(own, vec3(1.0), 0.7); alpha = 0.95; }
  return mix(colour, own, alpha);
}`;

const BESIDE = `
uniform usampler2D uBeside;
uniform vec4 uBesideAt;  // as uLabelsAt
uniform ivec2 uBesideSize;
uint besideAt(vec2 edge) {
  ivec2 texel = ivec2(floor(edge * uBesideAt.xy - uBesideAt.zw));
  return texelFetch(uBeside, clamp(texel, ivec2(0), uBesideSize - 1), 0).r;
}
vec3 lined(vec3 colour, uint id) {
  bool line = besideAt(vEdge + vec2(uStep.x, 0.0)) != id || besideAt(vEdge - vec2(uStep.x, 0.0)) != id
      || besideAt(vEdge + vec2(0.0, uStep.y)) != id || besideAt(vEdge - vec2(0.0, uStep.y)) != id;
  return line ? vec3(${[1, 3, 5].map((i) => (parseInt(BESIDE_COLOUR.slice(i, i + 2), 16) / 255).toFixed(3)).join(", ")}) : colour;
}`;

const FRAGMENT = `
precision highp float;
precision highp int;
precision highp usampler2D;
uniform sampler2D uImage;
uniform vec4 uImageAt;   // as uLabelsAt
uniform vec2 uWindow;    // grey 0 … 1: black, 1 / width
uniform bool uInvert, uHasImage;
uniform vec2 uStep;      // level-0 edges per outline width
in vec2 vEdge;
out vec4 pixel;
#ifdef LABELS
${LABELS}
#endif
#ifdef BESIDE
${BESIDE}
#endif
void main() {
  vec3 colour = vec3(0.075, 0.086, 0.102);
  if (uHasImage) {
    vec2 size = vec2(textureSize(uImage, 0));
    float grey = texture(uImage, (vEdge * uImageAt.xy - uImageAt.zw) / size).r;
    grey = clamp((grey - uWindow.x) * uWindow.y, 0.0, 1.0);
    colour = vec3(uInvert ? 1.0 - grey : grey);
  }
#ifdef LABELS
  for (uint id = labelAt(vEdge); id != 0u; id = 0u) colour = inked(colour, id);
#endif
#ifdef BESIDE
  for (uint id = besideAt(vEdge); id != 0u; id = 0u) colour = lined(colour, id);
#endif
#ifdef FAILED
  float stripe = step(0.82, fract((gl_FragCoord.x + gl_FragCoord.y) / 14.0));
  colour = mix(colour * 0.45, vec3(0.86, 0.52, 0.24), stripe * 0.55);
#endif
  pixel = vec4(colour, 1.0);
}`;

export class Programs {
  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    /** @type {Map<string, {program: WebGLProgram, at: Program}>} */
    this.made = new Map();
    /** @type {Set<string>} */
    this.told = new Set();
    /** @type {WebGLProgram | null} */
    this.current = null;
    /** Programs that the driver builds while the first tiles come; by their parts. */
    this.early = new Map(["", "LABELS"].map((key) => [key, begin(gl, key)]));
  }

  /** A new frame: every program has to be told again. */
  forget() {
    this.told.clear();
    this.current = null;
  }

  /**
   * @param {(Part | false)[]} parts
   * @returns {{at: Program, fresh: boolean}} fresh: not used in this frame before
   */
  use(parts) {
    const names = parts.filter(Boolean);
    const key = names.join();
    let entry = this.made.get(key);
    if (!entry) {
      const program = this.early.get(key) ?? begin(this.gl, key);
      finish(this.gl, program);
      entry = { program, at: uniforms(this.gl, program) };
      this.made.set(key, entry);
    }
    if (this.current !== entry.program) this.gl.useProgram(entry.program);
    this.current = entry.program;
    const fresh = !this.told.has(key);
    this.told.add(key);
    return { at: entry.at, fresh };
  }
}

/** @param {WebGL2RenderingContext} gl @param {WebGLProgram} program @returns {Program} null where it has no such uniform */
function uniforms(gl, program) {
  const names = `${VERTEX}${FRAGMENT}`.match(/\bu[A-Z]\w*/g) ?? [];
  return Object.fromEntries([...new Set(names)].map((name) => [name, gl.getUniformLocation(program, name)]));
}

/** Have a program built; nothing waits for it yet. @param {WebGL2RenderingContext} gl @param {string} key parts, with commas */
function begin(gl, key) {
  const program = gl.createProgram();
  const defines = key.split(",").filter(Boolean).map((name) => `#define ${name}\n`).join("");
  for (const [kind, text] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, `#version 300 es\n${defines}${FRAGMENT}`],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return program;
}

/** Wait until a program is built. @param {WebGL2RenderingContext} gl @param {WebGLProgram} program */
function finish(gl, program) {
  if (gl.getProgramParameter(program, gl.LINK_STATUS) || gl.isContextLost()) return;
  const logs = gl.getAttachedShaders(program)?.map((s) => gl.getShaderInfoLog(s)).join(" ");
  throw new Error(`the slice shader does not link: ${gl.getProgramInfoLog(program)} ${logs}`);
}
