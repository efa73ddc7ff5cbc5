/** The addresses of one volume, and the small answers that are not tiles. */

/** @import { Axis, Triple, VolumeInfo } from "./types.js" */

/** An answer other than 200, with the server's own sentence. */
export class HttpError extends Error {
  /** @param {number} status @param {string} message @param {number} [after] seconds that it asks for */
  constructor(status, message, after = 0) {
    super(message);
    this.status = status;
    this.after = after;
  }

  /** Whether the server is well and has too much to do: the same request will succeed later. */
  get busy() {
    return this.after > 0;
  }
}

/** How often a request is made anew while the server says that it is busy. */
const AGAIN = 5;

/**
 * Milliseconds to wait before a request is made once more: longer each time, never less than the
 * server asks for, and not the same for all who were refused together.
 * @param {number} tries so far, from 1 @param {number} after seconds
 */
export function pause(tries, after) {
  return Math.max(Math.min(15000, 250 * 2 ** tries), 1000 * after) * (1 + Math.random() / 2);
}

/**
 * @param {string} url @param {AbortSignal} [signal]
 * @returns {Promise<Response>} an answer with status 200; else throws HttpError
 */
export async function once(url, signal) {
  const response = await fetch(url, { signal });
  if (response.ok) return response;
  const text = await response.text();
  let message = `HTTP ${response.status}`;
  if (response.headers.get("content-type")?.includes("json")) message = JSON.parse(text).error ?? message;
  const after = Number(response.headers.get("retry-after")) || 0;
  throw new HttpError(response.status, message, [429, 503].includes(response.status) ? after : 0);
}

/**
 * The same, asked anew while the server is busy.
 * @param {string} url @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function get(url, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await once(url, signal);
    } catch (error) {
      if (!(error instanceof HttpError) || !error.busy || tries > AGAIN) throw error;
      await new Promise((done) => setTimeout(done, pause(tries, error.after)));
      signal?.throwIfAborted();
    }
  }
}

/**
 * Show a picture; asked anew a few times, since a picture does not tell whether the server is busy.
 * @param {HTMLImageElement} image @param {string} url @param {() => void} failed
 */
export function show(image, url, failed) {
  let tries = 0;
  image.onerror = () => {
    tries += 1;
    if (tries > 3) return failed();
    window.setTimeout(() => {
      if (image.getAttribute("src") === url) image.src = url;
    }, pause(tries, 0));
  };
  image.src = url;
}

export class Api {
  /** @param {string} base Path prefix of the app, "" at the root. @param {string} volume */
  constructor(base, volume) {
    this.base = base;
    this.root = `${base}/api/v1/volumes/${encodeURIComponent(volume)}`;
  }

  /** @returns {Promise<VolumeInfo>} */
  async info() {
    return (await get(this.root)).json();
  }

  /** @param {string} key layer/axis/level/index/row/column @param {string} version */
  tile(key, version) {
    return `${this.root}/tiles/${key}?v=${encodeURIComponent(version)}`;
  }

  /**
   * Grey value and ids at a level-0 voxel: exact, where tiles are lossy and coarse.
   * @param {Triple} index @param {AbortSignal} [signal]
   * @returns {Promise<{grey: number, labels: Record<string, number | null>}>}
   */
  async voxel(index, signal) {
    return (await get(`${this.root}/voxels/${index.join("/")}`, signal)).json();
  }

  /**
   * @param {string} labels @param {string} filter @param {string} [columns] names; all without
   * @returns {Promise<Record<string, any>[]>}
   */
  async rows(labels, filter, columns = "") {
    const query = new URLSearchParams({ ...(filter && { filter }), ...(columns && { columns }) });
    const url = `${this.root}/labels/${encodeURIComponent(labels)}/instances.json?${query}`;
    const answer = await (await get(url)).json();
    return Array.isArray(answer) ? answer : answer.rows;
  }

  /**
   * @param {string} labels @param {number | "overview"} id @param {string} version
   * @param {string} [kind] glb, ply, stl, obj
   */
  mesh(labels, id, version, kind = "glb") {
    const place = `${this.root}/labels/${encodeURIComponent(labels)}/meshes/${id}.${kind}`;
    return `${place}?v=${encodeURIComponent(version)}`;
  }

  /** @param {string} labels @param {number} id @returns {Promise<import("./card.js").Card>} */
  async card(labels, id) {
    return (await get(`${this.root}/labels/${encodeURIComponent(labels)}/instances/${id}`)).json();
  }

  /** The table's row of an instance, as CSV. @param {string} labels @param {number} id */
  row(labels, id) {
    return `${this.root}/labels/${encodeURIComponent(labels)}/instances.csv?filter=instance_id%20%3D%3D%20${id}`;
  }

  /**
   * @param {string} labels @param {string} by @param {string} [against] labels, for colours by error
   * @returns {Promise<import("./colouring.js").Answer>}
   */
  async colours(labels, by, against = "") {
    const query = new URLSearchParams({ by, ...(against && { against }) });
    return (await get(`${this.root}/labels/${encodeURIComponent(labels)}/colours.json?${query}`)).json();
  }

  /** @param {string} kind png or svg @param {string} query of a view @param {number} nm per pixel; 0: as fine as the voxels */
  figure(kind, query, nm) {
    return `${this.root}/figure.${kind}?${query}${nm > 0 ? `&nm=${nm}` : ""}`;
  }

  /** @param {string} query of a view */
  neuroglancer(query) {
    return `${this.root}/neuroglancer?${query}`;
  }
}
