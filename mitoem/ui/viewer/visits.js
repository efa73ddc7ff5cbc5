/** Instances as places to go to: pick one, visit one, hop from one to the next. */

/** @import { Api } from "./api.js" */
/** @import { Slice } from "./slice.js" */
/** @import { State } from "./state.js" */

export class Visits {
  /** @param {State} state @param {Api} api @param {(text: string) => void} say */
  constructor(state, api, say) {
    this.state = state;
    this.api = api;
    this.say = say;
    this.hopped = 0;
    this.idsOf = "";
    /** @type {number[]} */
    this.ids = [];
  }

  /** Select what lies under a point: the exact id, as a coarse tile shows the commonest one. @param {Slice} slice @param {{x: number, y: number}} at @param {boolean} add */
  async pick(slice, at, add) {
    const voxel = slice.voxelAt(at.x, at.y);
    const { labels } = this.state;
    if (!voxel || !labels) return;
    const near = slice.idAt(voxel);
    let id = near;
    try {
      id = (await this.api.voxel(voxel)).labels[labels.name] ?? near;
    } catch (error) {
      if (near === 0) return this.say(`Voxel not readable: ${error instanceof Error ? error.message : error}`);
    }
    if (id === 0 && near === 0) return;
    if (!this.state.shows(id || near)) return this.say(`#${id || near} is left out by the filter`);
    this.state.select(id || near, add);
  }

  /**
   * Bring an instance to the middle and select it.
   * @param {number} id
   * @returns {Promise<string>} what went wrong, or ""
   */
  async visit(id) {
    const { labels } = this.state;
    if (!labels) return "There are no labels here";
    try {
      const { centre } = await this.api.card(labels.name, id);
      this.state.goTo(centre);
      if (!this.state.selected.includes(id)) this.state.select(id, false);
      return "";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Go to the next of the selected instances; with one or none selected, of all that the filter keeps. @param {1 | -1} by */
  async hop(by) {
    const { labels, selected } = this.state;
    if (!labels) return;
    const among = selected.length > 1 ? selected : await this.everyId(labels.name);
    if (!among.length) return this.say("These labels were not measured yet");
    const at = among.indexOf(selected.length === 1 ? selected[0] : this.hopped);
    const first = by > 0 ? 0 : among.length - 1;
    this.hopped = among[at < 0 ? first : (at + by + among.length) % among.length];
    if (selected.length <= 1) this.state.select(this.hopped, false);
    const problem = await this.visit(this.hopped);
    if (problem) this.say(problem);
  }

  /** @param {string} labels @returns {Promise<number[]>} */
  async everyId(labels) {
    const { kept } = this.state;
    if (kept) return [...kept].sort((a, b) => a - b);
    if (this.idsOf !== labels) {
      const rows = await this.api.rows(labels, "", "instance_id").catch(() => []);
      this.ids = rows.map((row) => Number(row.instance_id)).sort((a, b) => a - b);
      this.idsOf = labels;
    }
    return this.ids;
  }
}
