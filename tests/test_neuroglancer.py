"""Links into Neuroglancer: the state that they carry, and what it means there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitoem
from mitoem import neuroglancer, view
from mitoem.volume import Volume

BASE = "https://em.example.org/explorer"


@pytest.fixture(scope="module")
def volume(small_root: Path) -> Volume:
    return mitoem.open_volume("phantom-r", data=small_root)


def state(volume: Volume, **asked: Any) -> dict[str, Any]:
    seen, _ = view.resolve(view.ViewRequest(**asked), volume.info)
    return neuroglancer.state(volume.info, seen, base_url=BASE)


def test_the_state_shows_image_and_labels_at_the_crosshair(volume: Volume) -> None:
    asked = state(volume, x=100, y=50, z=7, zoom=2, sel=(2, 1), op=(70, 20), window=(30, 200))
    assert asked == {
        "title": volume.info.title,
        "dimensions": {"x": [8e-9, "m"], "y": [8e-9, "m"], "z": [3e-8, "m"]},
        "position": [100, 50, 7],
        "crossSectionScale": 0.5,
        "projectionScale": pytest.approx(576 * 1.5),
        "layers": [
            {
                "type": "image",
                "name": "image",
                "source": f"{BASE}/zarr/phantom-r/|zarr3:",
                "shaderControls": {"normalized": {"range": [30, 200], "window": [0, 255]}},
            },
            {
                "type": "segmentation",
                "name": "truth",
                "source": f"{BASE}/zarr/phantom-r/labels/truth/|zarr3:",
                "segments": ["2", "1"],
                "selectedAlpha": 0.7,
                "notSelectedAlpha": 0.2,
                "segmentColors": {"2": "#a8e650", "1": "#658be9"},
            },
        ],
        "layout": "4panel",
    }


@pytest.mark.parametrize(
    ("layout", "theirs"),
    [("quad", "4panel"), ("z", "xy"), ("y", "xz"), ("x", "yz"), ("3d", "3d")],
)
def test_every_layout_has_one_there(layout: str, theirs: str, volume: Volume) -> None:
    assert state(volume, layout=layout)["layout"] == theirs


def test_without_a_selection_all_instances_look_like_the_others(volume: Volume) -> None:
    labels = state(volume, op=(90, 15))["layers"][1]
    assert labels["segments"] == [] and labels["selectedAlpha"] == 0.15


def test_a_view_of_one_instance_hides_the_others_and_an_inverted_one_is_inverted(
    volume: Volume,
) -> None:
    image, labels = state(volume, sel=(2,), solo="1", invert="1", window=(10, 90))["layers"]
    assert labels["notSelectedAlpha"] == 0
    assert image["shaderControls"]["normalized"]["range"] == [90, 10]


def test_a_volume_without_labels_is_an_image_alone(volume: Volume) -> None:
    bare = replace(volume.info, labels=())
    seen, _ = view.resolve(view.ViewRequest(), bare)
    assert len(neuroglancer.state(bare, seen, base_url=BASE)["layers"]) == 1


@settings(deadline=None, max_examples=30)
@given(query=st.text(max_size=60), zoom=st.floats(0.01, 100))
def test_a_link_carries_the_state_whatever_was_asked(
    query: str, zoom: float, volume: Volume
) -> None:
    link = mitoem.neuroglancer_link(volume, f"zoom={zoom}&f={query}", base_url=BASE + "/")
    host, _, fragment = link.partition("/#!")
    assert host == neuroglancer.VIEWER
    carried = json.loads(unquote(fragment))
    assert carried["layers"][0]["source"] == f"{BASE}/zarr/phantom-r/|zarr3:"
    assert carried["crossSectionScale"] > 0


def test_the_viewer_may_be_one_s_own(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITOEM_NEUROGLANCER", "https://ng.example.org/v2/")
    link = mitoem.neuroglancer_link(volume, base_url=BASE)
    assert link.startswith("https://ng.example.org/v2/#!%7B")
