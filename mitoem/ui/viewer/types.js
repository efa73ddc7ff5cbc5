/**
 * The shapes of things that pass between the modules. Triples are (z, y, x), like the arrays.
 *
 * @typedef {"z" | "y" | "x"} Axis
 * @typedef {"quad" | Axis | "3d"} Layout
 * @typedef {[number, number, number]} Triple
 *
 * @typedef {object} LevelInfo
 * @property {number} level
 * @property {Triple} factors
 * @property {Triple} shape
 * @property {Triple} voxel_size_nm
 *
 * @typedef {object} LabelInfo
 * @property {string} name
 * @property {string} kind
 * @property {[Triple, Triple][]} coverage
 * @property {number} instances
 * @property {number[]} per_section
 * @property {string} version
 *
 * @typedef {object} VolumeInfo  What `/api/v1/volumes/{volume}` answers.
 * @property {string} name
 * @property {string} title
 * @property {boolean} synthetic
 * @property {Triple} shape
 * @property {Triple} voxel_size_nm
 * @property {LevelInfo[]} levels
 * @property {{p1: number, p50: number, p99: number, histogram: number[]}} grey
 * @property {LabelInfo[]} labels
 * @property {{name: string, start: number, stop: number}[]} splits
 * @property {string} version
 *
 * @typedef {object} Wish  A view as Python passes it: everything resolved, in level-0 voxels.
 * @property {string} volume
 * @property {string | null} labels
 * @property {string | null} beside  Another label set, which is outlined.
 * @property {Axis} plane
 * @property {Layout} layout
 * @property {number} x
 * @property {number} y
 * @property {number} z
 * @property {number | null} zoom  CSS pixels per voxel along x; null fits the volume.
 * @property {number[]} sel
 * @property {[number, number]} op  Opacity of selected and of other instances, percent.
 * @property {"fill" | "outline"} mode
 * @property {[number, number]} w  Grey values drawn black and white.
 * @property {boolean} inv
 * @property {boolean} solo
 * @property {string} colour  "id", or the column that gives the colours.
 * @property {number} seed
 * @property {string} f  Expression that keeps instances; "" for all.
 *
 * @typedef {object} Source  A tile, and where it lies in the plane.
 * @property {import("./tiles.js").Tile} tile
 * @property {number} fx  Level-0 voxels per texel along the columns.
 * @property {number} fy  The same along the rows.
 * @property {number} ox  First texel of the tile, in texels of its level.
 * @property {number} oy
 *
 * @typedef {object} Cell  One rectangle of a plane to draw.
 * @property {[number, number, number, number]} rect  x0, y0, x1, y1 in device pixels, y down.
 * @property {[number, number, number, number]} edges  The same corners in level-0 voxel edges.
 * @property {Source | null} image
 * @property {Source | null} labels
 * @property {Source | null} beside
 * @property {boolean} failed
 * @property {boolean} sharp  Draw voxels as squares.
 *
 * @typedef {object} Line  A line along an edge of the screen, of one colour.
 * @property {[number, number, number, number]} rect  x0, y0, x1, y1 in CSS pixels of the pane.
 * @property {string} colour  #rrggbb
 *
 * @typedef {object} Paint  What is the same for all cells of a frame.
 * @property {[number, number]} window
 * @property {boolean} invert
 * @property {[number, number]} opacity  0 … 1, selected and others.
 * @property {boolean} outline
 * @property {boolean} solo
 * @property {boolean} raw  No labels at all.
 * @property {number} hover  Instance under the pointer, 0 for none.
 * @property {number} seed  Xors every id before it is hashed to a colour.
 * @property {number[]} selected
 * @property {import("./colouring.js").Inks | null} inks  Colours by a measurement, or of what a filter keeps.
 *
 * @typedef {object} Renderer
 * @property {"webgl2" | "canvas"} kind
 * @property {(tile: import("./tiles.js").Tile) => void} accept  Take a tile's pixels in.
 * @property {(tile: import("./tiles.js").Tile) => void} release
 * @property {(width: number, height: number, ratio: number) => void} resize  In drawn pixels; so many per CSS pixel.
 * @property {(paint: Paint) => void} begin
 * @property {(area: [number, number, number, number], cells: Cell[], lines: Line[], ratio: number) => void} draw  So many pixels per CSS pixel.
 * @property {() => void} destroy
 */

export {};
