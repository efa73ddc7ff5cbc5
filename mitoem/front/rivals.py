"""Where two predictions of the same truth differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

IOU_APART: Final = 0.1
"""Two errors of one type differ when their overlaps do by this much."""

_CORRECT: Final[Mapping[str, Any]] = {"kind": "correct", "iou": None, "lost": 0}


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> pd.DataFrame:
    """True instances of which two predictions make something else, most voxels at stake first.

    ``first`` and ``second`` are scores as ``Scores.to_json`` gives them. Columns: truth, voxels,
    kind_a, iou_a, lost_a, kind_b, iou_b, lost_b, gain (voxels that b loses less than a). A correct
    instance has no IoU there, and counts as losing nothing; one that only one of the two scorings
    saw, as the other prediction does not cover it, is left out.
    """
    a, b = (
        {one["truth"]: one for one in found["errors"] if one["truth"]} for found in (first, second)
    )
    seen = [wrong.keys() | set(found["correct"]) for wrong, found in ((a, first), (b, second))]
    rows = []
    for truth in sorted((a.keys() | b.keys()) & seen[0] & seen[1]):
        one, other = a.get(truth, _CORRECT), b.get(truth, _CORRECT)
        same = one["kind"] == other["kind"]
        if same and abs(one["iou"] - other["iou"]) < IOU_APART:
            continue
        voxels = max(side[truth]["voxels"] for side in (a, b) if truth in side)
        sides = [side[name] for side in (one, other) for name in ("kind", "iou", "lost")]
        rows.append((truth, voxels, *sides, one["lost"] - other["lost"]))
    columns = ["truth", "voxels", "kind_a", "iou_a", "lost_a", "kind_b", "iou_b", "lost_b", "gain"]
    frame = pd.DataFrame(rows, columns=columns)
    order = frame["gain"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)
