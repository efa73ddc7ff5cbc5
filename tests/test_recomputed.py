"""A statistics CSV, held against the same numbers computed by a script that shares no code."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recompute

import mitoem
from mitoem.cli import main
from mitoem.manifest import SEAL
from mitoem.morphometry import COLUMNS

VOXEL = (30.0, 8.0, 8.0)
SHAPE = (14, 64, 130)
COVERAGE = [((0, 0, 0), (6, 64, 70)), ((6, 0, 0), (12, 64, 58)), ((0, 0, 70), (14, 64, 130))]
SPLITS = [("train", 0, 6), ("validation", 6, 10)]
OF_SKELETONS = {
    "length_um", "branch_points", "end_points", "loops", "radius_mean_um", "radius_min_um",
    "possible_moas",
}  # fmt: skip


def bodies() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Touching, cut, bent, many-part and one-voxel bodies with sparse ids; and a grey image."""
    z, y, x = np.ogrid[tuple(slice(n) for n in SHAPE)]

    def ball(place: tuple[float, float, float], radius: float) -> Any:
        far = sum(((k - c) * v) ** 2 for k, c, v in zip((z, y, x), place, VOXEL, strict=True))
        return far <= radius**2

    labels = np.zeros(SHAPE, np.uint32)
    labels[ball((5, 20, 18), 145)] = 7
    labels[ball((5, 20, 33), 110) & (labels == 0)] = 2**32 - 1
    labels[ball((0, 50, 12), 90)] = 12
    labels[ball((8, 52, 52), 100)] = 40_000
    labels[2:5, 50:56, 30:34] = 5
    labels[9, 40, 30] = 5
    labels[7, 5, 50] = 90_001
    labels[10:14, 30:44, 44:60] = 8
    labels[3:9, 4:8, 4:60:4] = 1_000_000
    labels[4, 4:8, 4:60] = 1_000_000
    labels[((z - 6.5) / 5.5) ** 2 + ((y - 32) / 30) ** 2 + ((x - 100) / 27) ** 2 <= 1] = 3
    image = np.random.default_rng(4).integers(0, 256, SHAPE).astype(np.uint8)
    return labels, image


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CSV that the command line writes of these bodies, labelled in three boxes."""
    root = tmp_path_factory.mktemp("recomputed")
    labels, image = bodies()
    np.savez(root / "image.npz", image=image)
    np.savez(root / "labels.npz", labels=labels)
    source, label_source = root / "image.npz", root / "labels.npz"
    mitoem.ingest("bodies", source, labels=[label_source], voxel_size=VOXEL, data=root)
    file = root / "bodies" / "volume.json"
    info = json.loads(file.read_text())
    info["labels"][0]["coverage"] = COVERAGE
    info["splits"] = [{"name": n, "start": a, "stop": b} for n, a, b in SPLITS]
    del info[SEAL]
    file.write_text(json.dumps(info))
    words = ["--data", str(root), "--quiet"]
    assert main(["measure", "bodies", *words]) == 0
    assert main(["table", "bodies/truth", "--out", str(root / "t.csv"), *words]) == 0
    return root / "t.csv"


def test_every_column_is_what_plain_numpy_makes_of_the_voxels(table: Path) -> None:
    labels, image = bodies()
    expected = recompute.rows(labels, image, voxel_nm=VOXEL, coverage=COVERAGE, splits=SPLITS)
    found = recompute.read_csv(table)
    assert [int(row["instance_id"]) for row in found] == [row["instance_id"] for row in expected]
    assert list(found[0]) == [column.name for column in COLUMNS]
    for row, other in zip(found, expected, strict=True):
        assert set(other) | OF_SKELETONS == set(row)
        for name, value in other.items():
            text = row[name]
            if isinstance(value, str | bool):
                assert text == str(value), (row["instance_id"], name)
            elif isinstance(value, float | np.floating) and math.isnan(value):
                assert text == "", (row["instance_id"], name)
            elif isinstance(value, float | np.floating):
                assert float(text) == pytest.approx(value, rel=1e-9), (row["instance_id"], name)
            else:
                assert int(text) == value, (row["instance_id"], name)
        assert all(row[name] == "" for name in OF_SKELETONS)


def test_the_bodies_are_of_every_kind(table: Path) -> None:
    found = {int(row["instance_id"]): row for row in recompute.read_csv(table)}
    assert {row["touches_border"] for row in found.values()} == {"True", "False"}
    assert {row["split"] for row in found.values()} == {"train", "validation", "none"}
    assert {row["size_class"] for row in found.values()} == {"small", "medium", "large"}
    assert (found[5]["component_count"], found[90_001]["voxel_count"]) == ("2", "1")
    assert found[90_001]["elongation"] == ""
    assert float(found[7]["nearest_neighbour_um"]) == 0
    assert 2**32 - 1 in found


def test_the_sidecar_tells_the_sum_and_the_counts_of_the_csv(table: Path) -> None:
    note = json.loads(table.with_suffix(".json").read_text())
    assert note["csv_sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    lines = table.read_text(encoding="utf-8").splitlines()
    assert note["rows"] == note["rows_of_the_whole_table"] == len(lines) - 1
