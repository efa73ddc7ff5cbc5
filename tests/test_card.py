"""The card of an instance: a place to go to lies inside the body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mitoem
from mitoem import front
from mitoem.front.card import SEARCHED

VOXEL = (30.0, 8.0, 8.0)


def bent() -> np.ndarray:
    """Two rings that hold nothing where their centroids are: a small one, and a large one."""
    y, x = np.ogrid[:900, :900]
    labels = np.zeros((8, 900, 900), np.uint16)
    far = np.hypot(y - 450, x - 450)
    labels[1:7, (far > 380) & (far < 400)] = 7
    labels[2:5, np.abs(np.hypot(y - 450, x - 450) - 40) < 6] = 3
    return labels


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> mitoem.Volume:
    root: Path = tmp_path_factory.mktemp("rings")
    labels = bent()
    np.savez(root / "image.npz", image=(labels * 20).astype(np.uint8))
    np.savez(root / "labels.npz", labels=labels)
    sources = (root / "image.npz", [root / "labels.npz"])
    made = mitoem.ingest("rings", sources[0], labels=sources[1], voxel_size=VOXEL, data=root)
    mitoem.measure("rings", "truth", data=root)
    return made


def place_inside(volume: mitoem.Volume, card: front.Card) -> tuple[int, int, int]:
    box = mitoem.Box(*card.box)
    return front.inside(volume, "truth", card.instance_id, box=box, centre=card.centre)


@pytest.mark.parametrize("instance_id", [3, 7])
def test_the_place_of_a_ring_is_on_it(rings: mitoem.Volume, instance_id: int) -> None:
    frame = mitoem.stored_table(rings, "truth")
    card = front.card(frame, instance_id, voxel_size=rings.info.voxel_size)
    labels = bent()
    assert labels[card.centre] != instance_id
    assert labels[place_inside(rings, card)] == instance_id
    size = np.prod([b - a for a, b in zip(*card.box, strict=True)])
    assert (size > SEARCHED) == (instance_id == 7), "one of each way of searching"


def test_the_place_of_a_small_body_is_the_voxel_nearest_its_centroid(rings: mitoem.Volume) -> None:
    frame = mitoem.stored_table(rings, "truth")
    card = front.card(frame, 3, voxel_size=rings.info.voxel_size)
    places = np.argwhere(bent() == 3)
    far = np.linalg.norm((places - card.centre) * VOXEL, axis=1)
    found = np.linalg.norm((np.subtract(place_inside(rings, card), card.centre)) * VOXEL)
    assert found == pytest.approx(far.min())
