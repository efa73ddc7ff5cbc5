"""The synthetic volumes: exact labels, the promised content, and the same bytes every time."""

import numpy as np
import pytest
from scipy import ndimage

from mitoem import phantom
from mitoem.errors import RequestInvalid
from mitoem.geometry import voxel_volume_um3

EVERY_SIDE = np.ones((3, 3, 3), bool)
LEAST = {"r": 45, "h": 85}
SMALL = (16, 256, 256)


@pytest.fixture(scope="module")
def whole() -> dict[str, phantom.Phantom]:
    return {"r": phantom.make("r"), "h": phantom.make("h")}


@pytest.fixture(scope="module", params=["r", "h"])
def volume(request: pytest.FixtureRequest, whole: dict[str, phantom.Phantom]) -> phantom.Phantom:
    return whole[request.param]


def sizes(p: phantom.Phantom) -> np.ndarray:
    return np.bincount(p.labels.ravel())[1:]


def components(p: phantom.Phantom) -> list[int]:
    boxes = ndimage.find_objects(p.labels)
    return [
        ndimage.label(p.labels[box] == i, EVERY_SIDE)[1] for i, box in enumerate(boxes, start=1)
    ]


def test_the_default_volume_has_the_shape_and_voxel_of_mitoem(volume: phantom.Phantom) -> None:
    assert volume.image.shape == volume.labels.shape == (64, 1024, 1024)
    assert volume.image.dtype == np.uint8
    assert volume.labels.dtype == np.uint16
    assert volume.voxel_size == (30.0, 8.0, 8.0)


def test_there_are_as_many_instances_as_promised(volume: phantom.Phantom) -> None:
    count = int(volume.labels.max())
    assert count >= LEAST[volume.kind]
    assert count == volume.description["instances"]
    assert np.mean(sizes(volume) > 2000) > 0.9


def test_ids_are_consecutive_and_each_is_one_component(volume: phantom.Phantom) -> None:
    assert np.all(sizes(volume) > 0)
    assert set(components(volume)) == {1}


def test_the_two_swellings_of_a_string_part_where_its_tube_is(volume: phantom.Phantom) -> None:
    strings = volume.description["on_a_string"]
    assert len(strings) >= 2
    parted = 0
    for identity, diameter in strings.items():
        assert 40 <= diameter <= 80
        body = np.pad(volume.labels == identity, 1)[1:-1, 1:-1, 1:-1]
        (box,) = ndimage.find_objects(body.astype(np.uint8))
        depth = ndimage.distance_transform_edt(np.pad(body[box], 1), sampling=volume.voxel_size)
        swellings, count = ndimage.label(depth > diameter / 2 + 20, EVERY_SIDE)
        volumes = np.bincount(swellings.ravel())[1 : count + 1]
        parted += int(np.sum(volumes > 0.05 * volumes.sum()) >= 2)
    assert parted >= 0.6 * len(strings)


def test_touching_pairs_are_those_that_touch(volume: phantom.Phantom) -> None:
    pairs = volume.description["touching"]
    assert len(pairs) >= 2
    found = set()
    for dz, dy, dx in np.ndindex(2, 3, 3):
        a = volume.labels[dz:, max(0, dy - 1) :, max(0, dx - 1) :]
        b = volume.labels[:, max(0, 1 - dy) :, max(0, 1 - dx) :]
        z, y, x = np.minimum(a.shape, b.shape)
        a, b = a[:z, :y, :x], b[:z, :y, :x]
        meet = (a != b) & (a > 0) & (b > 0)
        found |= {(int(min(p)), int(max(p))) for p in zip(a[meet], b[meet], strict=True)}
    assert found == set(pairs)


def test_faces_of_the_volume_cut_some_instances_and_leave_others(volume: phantom.Phantom) -> None:
    cut = volume.description["cut"]
    inner = set(np.unique(volume.labels[1:-1, 1:-1, 1:-1])) - {0}
    faces = volume.labels.copy()
    faces[1:-1, 1:-1, 1:-1] = 0
    assert set(cut) == set(np.unique(faces).tolist()) - {0}
    assert 3 < len(cut) < len(inner)


def test_brightness_changes_from_section_to_section(volume: phantom.Phantom) -> None:
    means = volume.image.mean(axis=(1, 2))
    assert 2 < np.abs(np.diff(means)).mean() < 25


def test_mitochondria_are_darker_than_cytoplasm_but_not_the_darkest(
    volume: phantom.Phantom,
) -> None:
    inside = volume.image[volume.labels > 0]
    outside = volume.image[volume.labels == 0]
    assert 90 < np.median(inside) < 125
    assert 145 < np.median(outside) < 190
    assert np.mean(outside < np.median(inside)) > 0.05


def test_human_mitochondria_are_more_and_smaller_than_those_of_the_rat(
    whole: dict[str, phantom.Phantom],
) -> None:
    voxel = voxel_volume_um3((30.0, 8.0, 8.0))
    rat, human = (np.median(sizes(whole[k])) * voxel for k in "rh")
    assert 0.03 < human < 0.75 * rat < 0.2
    assert len(sizes(whole["h"])) > 1.5 * len(sizes(whole["r"]))


def test_one_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    a, b, c = (phantom.make("h", shape=SMALL, seed=s) for s in (5, 5, 6))
    assert a.image.tobytes() == b.image.tobytes()
    assert a.labels.tobytes() == b.labels.tobytes()
    assert a.description == b.description
    assert a.image.tobytes() != c.image.tobytes()


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 64, 64), (2, 33, 47), (5, 200, 31), (40, 96, 130), (16, 256, 256)]
)
@pytest.mark.parametrize("kind", ["r", "h"])
def test_any_shape_works(kind: phantom.Kind, shape: tuple[int, int, int]) -> None:
    p = phantom.make(kind, shape=shape, seed=shape[1])
    assert p.image.shape == p.labels.shape == shape
    assert np.array_equal(np.unique(p.labels[p.labels > 0]), np.arange(1, p.labels.max() + 1))
    assert set(components(p)) <= {1}


def test_small_volumes_of_many_seeds_mostly_hold_mitochondria() -> None:
    counts = [phantom.make("r", shape=(32, 256, 256), seed=s).labels.max() for s in range(6)]
    assert np.mean(np.array(counts) > 0) > 0.8


@pytest.mark.parametrize(("kind", "shape"), [("x", SMALL), ("r", (0, 8, 8)), ("r", (8, 8))])
def test_an_unknown_kind_or_an_empty_shape_is_refused(
    kind: phantom.Kind, shape: tuple[int, int, int]
) -> None:
    with pytest.raises(RequestInvalid, match="phantom"):
        phantom.make(kind, shape=shape)
