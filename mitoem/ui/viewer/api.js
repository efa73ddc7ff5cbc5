/** The addresses of one volume, and the small answers that are not tiles. */

/** @import { Axis, Triple, VolumeInfo } from "./types.js" */

/** An answer other than 200, with the server's own sentence. */
export class HttpError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} url @param {AbortSignal} [signal]
 * @returns {Promise<Response>} an answer with status 200; else throws HttpError
 */
export async function get(url, signal) {
  const response = await fetch(url, { signal });
  if (response.ok) return response;
  const text = await response.text();
  let message = `HTTP ${response.status}`;
  if (response.headers.get("content-type")?.includes("json")) message = JSON.parse(text).error ?? message;
  throw new HttpError(response.status, message);
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
