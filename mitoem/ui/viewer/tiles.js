/**
 * Tiles: asked for by priority, given up when out of sight, kept up to a number of bytes.
 *
 * Six requests run at once, as many as a browser opens to one host; only four of them may be
 * guesses about where a person goes next, so that a tile in sight never waits behind guesses.
 */

/** @import { Renderer } from "./types.js" */
import { HttpError, once, pause } from "./api.js";
import { TILE } from "./geometry.js";

const RUNNING = 6;
const GUESSING = 4;
export const GUESS = 100;

/** So many refusals of one tile, half a minute, are told as a server that does not answer. */
const BUSY = 5;

/**
 * @typedef {object} Tile
 * @property {string} key  layer/axis/level/index/row/column
 * @property {"ready" | "failed"} state
 * @property {number} width
 * @property {number} height
 * @property {number} bytes
 * @property {ImageBitmap | null} bitmap  Grey pixels, until the renderer has taken them.
 * @property {Uint16Array | Uint32Array | null} ids  Labels; null where all are background.
 * @property {unknown} held  What the renderer keeps of it.
 * @property {string} error
 * @property {number} tries
 */

/**
 * @typedef {object} Want
 * @property {string} key
 * @property {number} priority  Smaller is sooner; from GUESS on it is a guess.
 * @property {number} width  Of the tile, in texels.
 * @property {number} height
 */

export class TileStore {
  /**
   * @param {object} options
   * @param {(key: string) => string} options.address
   * @param {Renderer} options.renderer
   * @param {(key: string) => void} options.arrived
   * @param {number} options.budget bytes
   */
  constructor({ address, renderer, arrived, budget }) {
    this.address = address;
    this.renderer = renderer;
    this.arrived = arrived;
    this.budget = budget;
    this.bytes = 0;
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    /** @type {Map<string, AbortController>} */
    this.running = new Map();
    /** @type {Map<string, Want>} */
    this.wanted = new Map();
    /** @type {Map<string, {tries: number, timer: number, busy: boolean}>} */
    this.broken = new Map();
    this.counts = { requests: 0, aborted: 0, bytes: 0, evicted: 0 };
  }

  /** @param {string} key @returns {Tile | undefined} the tile, marked as used */
  get(key) {
    const tile = this.tiles.get(key);
    if (tile) {
      this.tiles.delete(key);
      this.tiles.set(key, tile);
    }
    return tile;
  }

  /** @param {string} key */
  has(key) {
    return this.tiles.has(key);
  }

  /** Whether the network, rather than a tile or a server with too much to do, is what fails. */
  get offline() {
    return [...this.broken.values()].some((entry) => !entry.busy);
  }

  /**
   * Replace what is wanted: start the most urgent, give up what nobody wants any more.
   * @param {Want[]} wants @param {Set<string>} keep running requests worth finishing
   */
  want(wants, keep) {
    this.wanted = new Map();
    for (const want of wants) {
      const known = this.wanted.get(want.key);
      if (!known || known.priority > want.priority) this.wanted.set(want.key, want);
    }
    for (const [key, controller] of this.running) {
      if (!this.wanted.has(key) && !keep.has(key)) {
        controller.abort();
        this.running.delete(key);
        this.counts.aborted += 1;
      }
    }
    for (const [key, entry] of this.broken) {
      if (!this.wanted.has(key)) {
        clearTimeout(entry.timer);
        this.broken.delete(key);
      }
    }
    this.start();
  }

  start() {
    if (this.running.size >= RUNNING) return;
    const open = [...this.wanted.values()].filter((want) => this.isOpen(want.key));
    open.sort((a, b) => a.priority - b.priority);
    for (const want of open) {
      const room = want.priority >= GUESS ? GUESSING : RUNNING;
      if (this.running.size >= room) return;
      void this.load(want);
    }
  }

  /** @param {string} key */
  isOpen(key) {
    if (this.tiles.has(key) || this.running.has(key)) return false;
    const broken = this.broken.get(key);
    return !broken || broken.timer === 0;
  }

  /** @param {Want} want */
  async load(want) {
    const controller = new AbortController();
    this.running.set(want.key, controller);
    this.counts.requests += 1;
    try {
      const tile = await this.fetch(want, controller.signal);
      if (controller.signal.aborted) return;
      this.broken.delete(want.key);
      this.put(tile);
    } catch (error) {
      if (!controller.signal.aborted) this.fail(want, error);
    } finally {
      if (this.running.get(want.key) === controller) this.running.delete(want.key);
    }
    this.start();
    this.arrived(want.key);
  }

  /** @param {Want} want @param {AbortSignal} signal @returns {Promise<Tile>} */
  async fetch({ key, width, height }, signal) {
    const response = await once(this.address(key), signal);
    /** @type {Tile} */
    const tile = {
      key, width, height, state: "ready", bytes: 64, bitmap: null, ids: null, held: null, error: "", tries: 0,
    };
    if (key.startsWith("image/")) {
      const blob = await response.blob();
      this.counts.bytes += blob.size;
      tile.bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
      tile.width = tile.bitmap.width;
      tile.height = tile.bitmap.height;
    } else {
      const buffer = await response.arrayBuffer();
      this.counts.bytes += Number(response.headers.get("content-length") ?? buffer.byteLength);
      if (buffer.byteLength !== width * height * 4) {
        throw new HttpError(422, `${buffer.byteLength} bytes, expected ${width * height * 4}`);
      }
      tile.ids = packIds(new Uint32Array(buffer));
    }
    return tile;
  }

  /** @param {Want} want @param {unknown} error */
  fail(want, error) {
    const [status, after] = error instanceof HttpError ? [error.status, error.after] : [0, 0];
    if (status === 0 || status >= 500 || after > 0) {
      const tries = (this.broken.get(want.key)?.tries ?? 0) + 1;
      const busy = after > 0 && tries < BUSY;
      const timer = window.setTimeout(() => {
        this.broken.set(want.key, { tries, timer: 0, busy });
        this.start();
      }, pause(tries, after));
      this.broken.set(want.key, { tries, timer, busy });
      return;
    }
    this.put({
      key: want.key, width: want.width, height: want.height, state: "failed", bytes: 64,
      bitmap: null, ids: null, held: null, error: String(error instanceof Error ? error.message : error), tries: 1,
    });
  }

  /** @param {Tile} tile */
  put(tile) {
    this.drop(tile.key);
    if (tile.state === "ready") this.renderer.accept(tile);
    this.tiles.set(tile.key, tile);
    this.bytes += tile.bytes;
    for (const [key] of this.tiles) {
      if (this.bytes <= this.budget) break;
      if (key === tile.key || this.wanted.has(key)) continue;
      this.drop(key);
      this.counts.evicted += 1;
    }
  }

  /** @param {string} key */
  drop(key) {
    const tile = this.tiles.get(key);
    if (!tile) return;
    this.renderer.release(tile);
    this.tiles.delete(key);
    this.bytes -= tile.bytes;
  }

  /** Ask again for all tiles that the server could not read. */
  retry() {
    for (const [key, tile] of [...this.tiles]) if (tile.state === "failed") this.drop(key);
    for (const [key, entry] of this.broken) {
      clearTimeout(entry.timer);
      this.broken.set(key, { ...entry, timer: 0 });
    }
    this.start();
  }

  clear() {
    for (const controller of this.running.values()) controller.abort();
    for (const entry of this.broken.values()) clearTimeout(entry.timer);
    this.running.clear();
    this.broken.clear();
    this.wanted.clear();
    for (const key of [...this.tiles.keys()]) this.drop(key);
  }
}

/**
 * Half the memory where all ids fit 16 bits; nothing at all where there is only background.
 * @param {Uint32Array} ids
 */
export function packIds(ids) {
  let all = 0;
  for (let i = 0; i < ids.length; i += 1) all |= ids[i];
  if (all === 0) return null;
  return all >>> 0 > 0xffff ? ids : new Uint16Array(ids);
}

/**
 * Texels of a tile: 512, less at the far edges.
 * @param {number} extent of the level @param {number} place row or column
 */
export function tileLength(extent, place) {
  return Math.min(TILE, extent - place * TILE);
}
