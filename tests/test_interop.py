"""What we write opens in other people's programs, at the same nanometres on every level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ngff_zarr
import numpy as np
import ome_zarr.io
import ome_zarr.reader
import ome_zarr_models
import pytest
import tensorstore as ts
import zarr
from ome_zarr_models import v05

import mitoem
from mitoem import export
from mitoem.ingestion import assemble, placing, recognise
from mitoem.volume import Volume

VOXEL = (30.0, 8.0, 8.0)
SHAPE = (40, 1100, 601)
CENTRE = (600.0, 5000.0, 2400.0)
"""Centre of a ball in nm (z, y, x)."""

RADIUS = 400.0
OFFSET = (3, 500, 201)
"""Where the labelled part begins."""


@dataclass(frozen=True)
class Level:
    """A level as a peer reads it: voxels, voxel size and centre of voxel 0 in nm (z, y, x)."""

    voxels: np.ndarray[Any, Any]
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def by_ome_zarr(group: Path) -> list[Level]:
    location = ome_zarr.io.parse_url(group)
    assert location is not None
    nodes = list(ome_zarr.reader.Reader(location)())
    # From labels it goes to their image first.
    (node,) = [one for one in nodes if Path(one.zarr.path).resolve() == group.resolve()]
    places = node.metadata["coordinateTransformations"]
    assert [axis["unit"] for axis in node.metadata["axes"]] == ["nanometer"] * 3
    return [
        Level(np.asarray(data), tuple(scale["scale"]), tuple(shift["translation"]))
        for data, (scale, shift) in zip(node.data, places, strict=True)
    ]


def by_ngff_zarr(group: Path) -> list[Level]:
    images = ngff_zarr.from_ngff_zarr(group).images
    assert all(set(one.axes_units.values()) == {"nanometer"} for one in images)
    return [
        Level(
            np.asarray(one.data),
            tuple(one.scale[axis] for axis in "zyx"),
            tuple(one.translation[axis] for axis in "zyx"),
        )
        for one in images
    ]


def by_models(group: Path) -> list[Level]:
    opened = zarr.open_group(group, mode="r")
    image = ome_zarr_models.open_ome_zarr(opened)
    assert isinstance(image, v05.Image | v05.ImageLabel)
    (multiscale,) = image.ome_attributes.multiscales
    assert [axis.unit for axis in multiscale.axes] == ["nanometer"] * 3
    levels = []
    for dataset in multiscale.datasets:
        scale, shift = dataset.coordinateTransformations
        voxels = np.asarray(opened[dataset.path])
        levels.append(Level(voxels, tuple(scale.scale), tuple(shift.translation)))
    return levels


def by_tensorstore(group: Path) -> list[Level]:
    """Voxel sizes from the arrays themselves; TensorStore knows no translation of a level."""
    levels, base = [], None
    while (path := group / str(len(levels))).is_dir():
        spec = {"driver": "zarr3", "kvstore": path.as_uri() + "/"}
        store = ts.open(spec).result()
        assert store.domain.labels == ("z", "y", "x")
        assert {unit.base_unit for unit in store.dimension_units} == {"nm"}
        scale = tuple(unit.multiplier for unit in store.dimension_units)
        base = base or scale
        shift = tuple((s - b) / 2 for s, b in zip(scale, base, strict=True))
        levels.append(Level(store.read().result(), scale, shift))
    return levels


PEERS: dict[str, Callable[[Path], list[Level]]] = {
    "ome-zarr-py": by_ome_zarr,
    "ngff-zarr": by_ngff_zarr,
    "zarr-python, ome-zarr-models": by_models,
    "tensorstore": by_tensorstore,
}


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    """A ball of grey 200 in the dark, labelled 5 in a part of the volume."""
    z, y, x = (np.arange(n) * edge for n, edge in zip(SHAPE, VOXEL, strict=True))
    distance = (
        (z[:, None, None] - CENTRE[0]) ** 2 + (y[:, None] - CENTRE[1]) ** 2 + (x - CENTRE[2]) ** 2
    )
    ball = distance < RADIUS**2
    part = ball[OFFSET[0] :, OFFSET[1] :, OFFSET[2] :].astype(np.uint16) * 5
    return assemble.create_volume(
        tmp_path_factory.mktemp("interop"),
        "ball",
        image=placing.from_array(ball.astype(np.uint8) * 200),
        labels=assemble.NewLabels(
            "truth", (placing.from_array(part, offset=OFFSET),), np.dtype(np.uint16)
        ),
        facts=assemble.Facts("ball", VOXEL, "test"),
    )


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("layer", ["image", "truth"])
def test_a_peer_reads_the_same_voxels_at_the_same_place(
    peer: str, layer: str, volume: Volume
) -> None:
    assert volume.path is not None
    group = volume.path / "image.zarr" / ("" if layer == "image" else f"labels/{layer}")
    levels = PEERS[peer](group)
    assert len(levels) == len(volume.info.levels) == 3
    for n, (level, info) in enumerate(zip(levels, volume.info.levels, strict=True)):
        assert (level.voxels == volume.read(level=n, layer=layer)).all()
        assert level.scale == info.voxel_size
        inside = np.argwhere(level.voxels > 100 if layer == "image" else level.voxels)
        found = inside.mean(axis=0) * level.scale + level.translation
        assert found == pytest.approx(CENTRE, abs=5)


def test_the_models_list_the_labels_of_an_image(volume: Volume) -> None:
    assert volume.path is not None
    opened = zarr.open_group(volume.path / "image.zarr", mode="r")
    image = ome_zarr_models.open_ome_zarr(opened)
    assert isinstance(image, v05.Image)
    assert image.labels is not None
    assert image.labels.ome_attributes.labels == ["truth"]
    label = v05.ImageLabel.from_zarr(opened["labels/truth"])
    assert label.ome_attributes.multiscales[0].type == "mode"


def test_ome_zarr_finds_the_labels_by_walking_the_image(volume: Volume) -> None:
    assert volume.path is not None
    location = ome_zarr.io.parse_url(volume.path / "image.zarr")
    assert location is not None
    nodes = list(ome_zarr.reader.Reader(location)())
    assert [Path(str(node.zarr.basename())).name for node in nodes] == [
        "image.zarr",
        "labels",
        "truth",
    ]
    assert (np.asarray(nodes[2].data[0]) == volume.read(layer="truth")).all()


@pytest.mark.parametrize("peer", PEERS)
def test_exported_labels_open_in_a_peer(peer: str, volume: Volume, tmp_path: Path) -> None:
    labels = volume.read(layer="truth")
    out = export.write_array(tmp_path / "labels.zarr", labels, voxel_size=VOXEL)
    first = PEERS[peer](out)[0]
    assert (first.voxels == labels).all() and first.scale == VOXEL


def test_exported_labels_in_a_zip_are_read_in_place(volume: Volume, tmp_path: Path) -> None:
    labels = volume.read(layer="truth")
    out = export.write_array(tmp_path / "l.ome.zarr.zip", labels, voxel_size=VOXEL)
    source = recognise(out, role="labels")
    assert source.voxel_size == VOXEL and source.format.startswith("OME-Zarr 0.5")
    assert (np.concatenate(list(source.slabs(8))) == labels).all()
    assert [one.name for one in tmp_path.iterdir()] == [out.name]


def test_a_volume_of_another_anisotropy_keeps_its_nanometres(tmp_path: Path) -> None:
    voxel = (5.0, 8.25, 8.25)
    image = np.random.default_rng(1).integers(0, 256, (9, 600, 700), np.uint8)
    made = assemble.create_volume(
        tmp_path,
        "fib",
        image=placing.from_array(image),
        facts=assemble.Facts("fib", voxel, "test"),
    )
    assert made.path is not None
    for read in PEERS.values():
        for level, info in zip(read(made.path / "image.zarr"), made.info.levels, strict=True):
            assert level.scale == pytest.approx(info.voxel_size)
            shift = [(f - 1) / 2 * v for f, v in zip(info.factors, voxel, strict=True)]
            assert level.translation == pytest.approx(shift)
    assert (mitoem.open_volume("fib", data=tmp_path).read() == image).all()
