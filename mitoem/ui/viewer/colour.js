/**
 * One colour per instance, the same as `mitoem.render.instance_colour` in Python: an integer hash
 * gives hue and lightness, saturation is fixed.
 */

const GOLDEN = 0x9e3779b9;

/** Of the planes: their crosshair lines in the slices and their frames in 3-D. @type {Record<import("./types.js").Axis, string>} */
export const PLANE_COLOURS = { z: "#6fa8ff", y: "#57c98a", x: "#ff8a73" };

/** Of the outlines of a second label set; as in `mitoem.render`. */
export const BESIDE_COLOUR = "#ff9600";

/** @param {number} seed The number that xors every id before the hash. */
export function seedBits(seed) {
  return Math.imul(seed, GOLDEN) >>> 0;
}

/**
 * @param {number} id @param {number} [seed]
 * @returns {[number, number, number]} red, green, blue, 0 … 255
 */
export function instanceColour(id, seed = 0) {
  const h = Math.imul((id ^ seedBits(seed)) >>> 0, 2654435761) >>> 0;
  const hue = (h >>> 16) / 65536;
  const light = 0.55 + (0.15 * (h & 0xff)) / 255;
  const chroma = (1 - Math.abs(2 * light - 1)) * 0.75;
  const channel = (/** @type {number} */ n) => {
    const k = (n + hue * 12) % 12;
    return Math.round(255 * (light - (chroma / 2) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** @param {number} id @param {number} [seed] */
export function instanceCss(id, seed = 0) {
  return `rgb(${instanceColour(id, seed).join(" ")})`;
}

/** The same in the shader; `colourOf(id)` with the seed's bits in `uSeed`. */
export const COLOUR_GLSL = `
vec3 colourOf(uint id) {
  uint h = (id ^ uSeed) * 2654435761u;
  float hue = float(h >> 16) / 65536.0;
  float light = 0.55 + 0.15 * float(h & 0xffu) / 255.0;
  float chroma = (1.0 - abs(2.0 * light - 1.0)) * 0.75;
  vec3 k = mod(vec3(0.0, 8.0, 4.0) + hue * 12.0, 12.0);
  return light - 0.5 * chroma * clamp(min(k - 3.0, 9.0 - k), -1.0, 1.0);
}`;
