/** The least of binary glTF 2.0: triangle meshes with float positions and integer indices. */

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;

/**
 * @typedef {object} Mesh
 * @property {Float32Array} positions x, y, z, x, y, z … in µm
 * @property {Uint32Array} triangles three vertices each
 * @property {Record<string, any>} extras
 */

/** @param {ArrayBuffer} bytes @returns {Mesh[]} one per primitive; throws on anything else */
export function parseGlb(bytes) {
  const view = new DataView(bytes);
  if (view.byteLength < 20 || view.getUint32(0, true) !== MAGIC) throw new Error("not a GLB file");
  const length = view.getUint32(12, true);
  if (view.getUint32(16, true) !== JSON_CHUNK) throw new Error("a GLB file without its JSON");
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 20, length)));
  const start = 20 + length + 8;
  /** @param {number} index */
  const read = (index) => {
    const accessor = json.accessors[index];
    const part = json.bufferViews[accessor.bufferView];
    const at = start + (part.byteOffset ?? 0) + (accessor.byteOffset ?? 0);
    const size = accessor.count * (accessor.type === "VEC3" ? 3 : 1);
    const Kind = { 5126: Float32Array, 5125: Uint32Array, 5123: Uint16Array }[
      /** @type {5126|5125|5123} */ (accessor.componentType)
    ];
    if (!Kind) throw new Error(`GLB component type ${accessor.componentType} is not read`);
    return new Kind(bytes.slice(at, at + size * Kind.BYTES_PER_ELEMENT));
  };
  const root = json.asset?.extras ?? {};
  return json.meshes.flatMap((/** @type {any} */ mesh) =>
    mesh.primitives.map((/** @type {any} */ primitive) => ({
      positions: /** @type {Float32Array} */ (read(primitive.attributes.POSITION)),
      triangles: Uint32Array.from(read(primitive.indices)),
      extras: { ...root, ...json.nodes?.[0]?.extras, ...mesh.extras, ...primitive.extras },
    })),
  );
}
