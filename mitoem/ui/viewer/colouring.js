/** Colours by a measurement, as the server gives them, and what a filter keeps, as the slices take both. */

import { instanceColour } from "./colour.js";

/**
 * @typedef {object} Legend
 * @property {"scale" | "names"} kind
 * @property {string[]} colours  From low to high, or one for each name.
 * @property {string[]} names
 * @property {number} low
 * @property {number} high
 * @property {boolean} log
 *
 * @typedef {object} Answer  Of `colours.json`.
 * @property {string} by
 * @property {string} title
 * @property {string} unit
 * @property {Legend} legend
 * @property {number[]} ids
 * @property {number[]} colours  0xRRGGBB
 */

export const UNKNOWN = 0x8a96a3;
const SPREAD = 2654435761;

/** Colours of single ids, as the slices take them. */
export class Inks {
  /**
   * @param {Map<number, number>} colours 0xRRGGBB of ids
   * @param {boolean} only whether instances that have none are left out
   * @param {string} key changes with the colours
   */
  constructor(colours, only, key) {
    this.colours = colours;
    this.only = only;
    this.key = key;
    this.table = table(colours);
  }

  /** @param {number} id @returns {[number, number, number] | null} null: left out */
  of(id) {
    const colour = this.colours.get(id);
    if (colour === undefined && this.only) return null;
    return parts(colour ?? UNKNOWN);
  }
}

/**
 * @param {Colouring | null} colouring by a measurement; null: each its own colour
 * @param {Set<number> | null} kept what a filter keeps; null: everything
 * @param {number} seed @param {string} key
 * @returns {Inks | null} null: everything in its own colour
 */
export function inksOf(colouring, kept, seed, key) {
  if (!kept) return colouring && new Inks(colouring.colours, false, key);
  const own = (/** @type {number} */ id) => instanceColour(id, seed).reduce((sum, part) => sum * 256 + part, 0);
  const of = (/** @type {number} */ id) => (colouring ? (colouring.colours.get(id) ?? UNKNOWN) : own(id));
  return new Inks(new Map([...kept].map((id) => [id, of(id)])), true, key);
}

/** @param {number} colour 0xRRGGBB @returns {[number, number, number]} */
function parts(colour) {
  return [colour >> 16, (colour >> 8) & 255, colour & 255];
}

export class Colouring {
  /** @param {Answer} answer */
  constructor(answer) {
    this.by = answer.by;
    this.title = answer.title;
    this.legend = answer.legend;
    /** @type {Map<number, number>} */
    this.colours = new Map(answer.ids.map((id, i) => [id, answer.colours[i]]));
  }

  /** @param {number} id @returns {[number, number, number]} */
  of(id) {
    return parts(this.colours.get(id) ?? UNKNOWN);
  }
}

/**
 * The colours as a hash table for the shader: pairs of id and colour, open addressing, at least
 * twice as many places as ids; 256 places a row.
 * @param {Map<number, number>} colours
 * @returns {{cells: Uint32Array, rows: number, bits: number, probes: number}}
 */
function table(colours) {
  const bits = Math.max(8, Math.ceil(Math.log2(2 * Math.max(1, colours.size))));
  const places = 2 ** bits;
  const cells = new Uint32Array(2 * places);
  let probes = 1;
  for (const [id, colour] of colours) {
    let at = (Math.imul(id, SPREAD) >>> 0) >>> (32 - bits);
    let probe = 1;
    while (cells[2 * at] !== 0) {
      at = (at + 1) & (places - 1);
      probe += 1;
    }
    cells[2 * at] = id;
    cells[2 * at + 1] = colour;
    probes = Math.max(probes, probe);
  }
  return { cells, rows: places / 256, bits, probes };
}
