"""The viewer's Python side, and the laws of its JavaScript where Node is present."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoem import catalog, meshes
from mitoem.render import instance_colour
from mitoem.ui import viewer as viewers
from mitoem.view import ViewRequest, resolve

FOLDER = Path(viewers.__file__).parent
IDS = [1, 2, 7, 118, 65535, 65536, 2**31, 2**32 - 1]
NODE = shutil.which("node")


def run_node(script: str) -> Any:
    """What a module script prints as JSON; it sees the viewer's modules under ``viewer/``."""
    if NODE is None:
        pytest.skip("no Node here: install nodejs to check the viewer's JavaScript")
    text = script.replace("viewer/", FOLDER.as_uri() + "/")
    done = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "-e", text],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_report_that_comes_back_as_a_view_is_no_wish() -> None:
    memory = viewers.forget()
    first = viewers.ask(memory, "start")
    viewers.hear(memory, "moved")
    assert viewers.ask(memory, "moved") == first


def test_a_view_from_python_is_a_wish_once() -> None:
    memory = viewers.forget()
    first = viewers.ask(memory, "start")
    assert viewers.ask(memory, "select 5") == first + 1
    assert viewers.ask(memory, "select 5") == first + 1


def test_a_view_can_be_wished_again_after_the_person_moved_on() -> None:
    memory = viewers.forget()
    viewers.ask(memory, "start")
    wished = viewers.ask(memory, "select 5")
    viewers.hear(memory, "cleared")
    viewers.ask(memory, "cleared")
    assert viewers.ask(memory, "select 5") == wished + 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 4))
def test_reports_that_come_back_late_are_never_applied(moves: list[int], lag: int) -> None:
    """The address trails the reports by up to ``lag`` runs; moves may revisit old places."""
    memory = viewers.forget()
    nonce = viewers.ask(memory, "start")
    address, trail = "start", []
    for number, move in enumerate(moves):
        report = f"{move} at {number}"
        viewers.hear(memory, report)
        trail.append(report)
        if len(trail) > lag:
            address = trail.pop(0)
        assert viewers.ask(memory, address) == nonce


def test_a_report_becomes_a_view_and_a_view_the_same_report(small_data: Path) -> None:
    info = catalog.from_environment(small_data).open("phantom-r").info
    view, _ = resolve(ViewRequest(z=3, zoom=1.25, sel="4,2", mode="outline"), info)
    words = viewers._words(view)
    state = viewers.parse_report({**words, "n": 1}, info, nonce=1)
    assert state is not None
    assert state.view(view) == view


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "text",
        {},
        {"volume": "phantom-h"},
        {"x": "middle"},
        {"layout": "five"},
        {"op": [1]},
        {"n": 2},
    ],
)
def test_a_report_that_makes_no_sense_is_none(small_data: Path, wrong: object) -> None:
    info = catalog.from_environment(small_data).open("phantom-r").info
    good = {**viewers._words(resolve(ViewRequest(), info)[0]), "n": 1}
    report = good | wrong if isinstance(wrong, dict) and wrong else wrong
    assert viewers.parse_report(report, info, nonce=1) is None


def test_instances_have_one_colour_in_the_browser_and_in_python() -> None:
    seeds = [0, 1, 5]
    told = run_node(
        "import { instanceColour } from 'viewer/colour.js';"
        f"const ids = {IDS}; console.log(JSON.stringify({seeds}.map("
        "(seed) => ids.map((id) => instanceColour(id, seed)))))"
    )
    for seed, colours in zip(seeds, told, strict=True):
        off = np.abs(np.array(colours) - instance_colour(IDS, seed=seed).astype(int))
        assert off.max() <= 1


def test_javascript_reads_the_meshes_that_python_writes() -> None:
    ball = np.zeros((8, 12, 12), bool)
    ball[2:6, 3:9, 3:9] = True
    body = meshes.mesh(ball, voxel_size=(30.0, 8.0, 8.0))
    glb = meshes.to_glb(body, extras={"id": 7})
    told = run_node(
        "import { parseGlb } from 'viewer/glb.js';"
        f"const bytes = Uint8Array.from({list(glb)}).buffer;"
        "const [m] = parseGlb(bytes); console.log(JSON.stringify({positions: [...m.positions],"
        "triangles: [...m.triangles], id: m.extras.id}))"
    )
    assert told["id"] == 7
    assert np.allclose(np.array(told["positions"]).reshape(-1, 3), body.vertices)
    assert np.array_equal(np.array(told["triangles"]).reshape(-1, 3), body.faces)


def test_places_are_read_as_voxels_micrometres_or_instances() -> None:
    told = run_node(
        "import { parsePlace } from 'viewer/geometry.js';"
        "const info = { shape: [64, 1024, 1024], voxel_size_nm: [30, 8, 8] };"
        "const texts = ['10, 20, 30', '0.8 1.6 0.9 µm', '#118', ' # 4 ', '1,2', '10,20,64', 'x'];"
        "console.log(JSON.stringify(texts.map((t) => parsePlace(t, info))))"
    )
    assert told[0] == {"place": [30, 20, 10]}
    assert told[1] == {"place": [30, 200, 100]}
    assert told[2:4] == [{"instance": 118}, {"instance": 4}]
    assert all(set(answer) == {"error"} for answer in told[4:])
    assert told[5]["error"] == "z 64 is outside 0 … 63"


def test_a_scale_bar_is_a_round_length_that_fits() -> None:
    told = run_node(
        "import { scaleBar } from 'viewer/geometry.js'; const zooms = [];"
        "for (let z = 0.01; z < 64; z *= 1.17) zooms.push([8 / z, scaleBar(8 / z, 150)]);"
        "console.log(JSON.stringify(zooms))"
    )
    for nm_per_pixel, bar in told:
        assert 60 <= bar["pixels"] <= 150.001
        assert bar["pixels"] * nm_per_pixel == pytest.approx(bar["nm"])
        assert str(bar["nm"]).strip("0.")[0] in "125"


def test_the_level_drawn_is_not_blurred_nor_wasteful_nor_mixes_sections_for_nothing() -> None:
    told = run_node(
        "import { levelFor } from 'viewer/geometry.js';"
        "const factors = [[1,1,1],[2,1,1],[2,2,2],[4,4,4]];"
        "const info = { levels: factors.map((factors) => ({ factors })) };"
        "const rows = []; for (let z = 0.02; z < 8; z *= 1.3) for (const axis of ['z', 'y', 'x'])"
        "rows.push([axis, z, levelFor(info, axis, [z * 0.63, z, z])]);"
        "console.log(JSON.stringify(rows))"
    )
    factors = [(1, 1, 1), (2, 1, 1), (2, 2, 2), (4, 4, 4)]
    for axis, zoom, level in told:
        plane = [a for a in range(3) if "zyx"[a] != axis]
        size = [zoom * 0.63, zoom, zoom]
        fits = [all(f[a] == 1 or f[a] * size[a] <= 1.42 for a in plane) for f in factors]
        coarsest = max(i for i, fit in enumerate(fits) if fit)
        alike = [[f[a] for a in plane] == [factors[coarsest][a] for a in plane] for f in factors]
        assert level == alike.index(True)


def test_ids_take_half_the_memory_where_they_fit_and_none_where_there_are_none() -> None:
    told = run_node(
        "import { packIds } from 'viewer/tiles.js';"
        "const lists = [[0, 0], [1, 65535], [1, 65536], [4294967295, 0]];"
        "console.log(JSON.stringify(lists.map((l) => { const p = packIds(Uint32Array.from(l));"
        "return p && [p.BYTES_PER_ELEMENT, [...p]]; })))"
    )
    assert told == [None, [2, [1, 65535]], [4, [1, 65536]], [4, [4294967295, 0]]]


def test_every_action_has_a_label_and_no_key_is_taken_twice_or_by_streamlit() -> None:
    actions = run_node(
        "import { ACTIONS } from 'viewer/actions.js';"
        "console.log(JSON.stringify(ACTIONS.map((a) => [a.id, a.label, a.keys])))"
    )
    keys = [key for _, _, own in actions for key in own]
    assert len(keys) == len(set(keys))
    assert not {"r", "c"} & set(keys)
    assert all(label for _, label, _ in actions)
