/** What a person pastes elsewhere: Python, a command line, the report of a label problem. */

/** @import { State } from "./state.js" */
/** @import { Card } from "./card.js" */
import { formatNumber } from "./geometry.js";

/** @param {State} state @param {number} id */
export function python(state, id) {
  const [volume, labels] = [state.info.name, state.labels?.name ?? ""].map((name) => JSON.stringify(name));
  return [
    "import mitoem", "",
    `row = mitoem.table(${volume}, ${labels}, filter="instance_id == ${id}")`,
    `surface = mitoem.mesh(${volume}, ${labels}, ${id})  # vertices (x, y, z) in µm`,
    "print(row.T, surface.vertices.shape)", "",
  ].join("\n");
}

/** The command that writes the same figure. @param {State} state @param {string} kind @param {number} nm 0: as fine as the voxels */
export function figureCommand(state, kind, nm) {
  const { name } = state.info;
  const finer = nm > 0 ? ` --nm-per-pixel ${nm}` : "";
  return `python -m mitoem figure ${name} --view '${state.query()}'${finer} --out ${name}.${kind}`;
}

/** @param {State} state @param {Card} card */
export function report(state, card) {
  const [z, y, x] = card.centre;
  const size = card.measures.filter((one) => ["voxel_count", "volume_um3", "component_count"].includes(one.name));
  return [
    `Label problem: instance ${card.instance_id} of ${state.info.name}/${state.labels?.name}`, "",
    "What is wrong (split, merge, missing part, no mitochondrion, border): ", "",
    `- where: x ${x}, y ${y}, z ${z} (level-0 voxels from 0)`,
    ...size.map((one) => `- ${one.title}: ${formatNumber(one.value)}${one.unit ? ` ${one.unit}` : ""}`),
    `- labels version ${state.labels?.version}, image version ${state.info.version}`,
    `- view: ${window.location.origin}${window.location.pathname}?${state.query()}`,
    "- picture: the PNG that was saved beside this report", "",
  ].join("\n");
}
