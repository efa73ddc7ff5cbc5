/** Colours by a measurement, as the server gives them: one per instance, and what they mean. */

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

export class Colouring {
  /** @param {Answer} answer */
  constructor(answer) {
    this.by = answer.by;
    this.title = answer.title;
    this.legend = answer.legend;
    /** @type {Map<number, number>} */
    this.colours = new Map(answer.ids.map((id, i) => [id, answer.colours[i]]));
    this.table = table(this.colours);
  }

  /** @param {number} id @returns {[number, number, number]} */
  of(id) {
    const colour = this.colours.get(id) ?? UNKNOWN;
    return [colour >> 16, (colour >> 8) & 255, colour & 255];
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
