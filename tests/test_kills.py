"""Commands that are killed at any moment: nothing is lost, nothing half there, the end the same.

Every second kill comes just before a change of the disk that the command makes, the others at a
moment of its work; both are drawn from equal parts of the whole. ``MITOEM_KILLS=20`` makes it
twenty kills of each command; the usual is one. See ``shooting/sitecustomize.py``.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

import mitoem
from mitoem import checking, errors, jobs
from mitoem.ingestion import shelf

KILLS = int(os.environ.get("MITOEM_KILLS", "1"))

SHOOTING = Path(__file__).with_name("shooting")

VOXEL = "30,8,8"

COMMANDS: Mapping[str, tuple[Sequence[str], str]] = {
    "ingest": ((), "ingest one --image {image} --labels {labels} --voxel-size 30,8,8"),
    "ingest over another": (
        ("start",),
        "ingest one --image {other} --labels {labels} --voxel-size 30,8,8 --overwrite",
    ),
    "measure": (("start",), "measure one"),
    "measure again": (("start", "measure one"), "measure one --skeletons"),
    "predict": (("start",), "predict one --box 0:16,0:128,0:128 --save found"),
    "predict over another": (
        ("start", "predict one --box 8:24,0:160,0:128 --save found"),
        "predict one --box 0:16,0:128,0:128 --save found --overwrite",
    ),
    "blocks": (("start",), "predict one --blocks --save found --overwrite"),
    "rename labels": (("start", "measure one"), "labels rename one/truth best"),
    "remove labels": (("start", "measure one"), "remove one/truth"),
}
"""Name → what is there before, and the command that is killed."""

ALWAYS = ("ingest over another", "measure again", "predict over another")
"""What a single kill of each is enough for; the others are simpler."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL, and trees of /proc")


@dataclass(frozen=True)
class Ground:
    """Sources, and the roots that commands start from, each made once."""

    at: Path

    def words(self, command: str) -> list[str]:
        """A command in words."""
        files = {name: self.at / f"{name}.npy" for name in ("image", "other", "labels")}
        return [word.format(**files) for word in command.split()]

    def root(self, before: Sequence[str]) -> Path:
        """A root in which these commands have been run; not to be changed."""
        made = self.at / hashlib.sha256(repr(before).encode()).hexdigest()[:8]
        if not made.exists():
            made.mkdir()
            for one in before:
                start = "ingest one --image {image} --labels {labels} --no-measure --voxel-size "
                run(self.words(start + VOXEL if one == "start" else one), made)
        return made

    @cached_property
    def starting(self) -> float:
        """Seconds before a command begins to work."""
        empty = self.at / "empty"
        empty.mkdir(exist_ok=True)
        return run(["list"], empty)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A grey stack with blobs, another one, and labels."""
    at = tmp_path_factory.mktemp("ground")
    rng = np.random.default_rng(4)
    image = rng.integers(60, 200, (48, 300, 300), np.uint8)
    labels = np.zeros(image.shape, np.uint16)
    for one in range(1, 60):
        z, y, x = (int(rng.integers(0, n - 30)) for n in (48 + 20, 300, 300))
        labels[z : z + 8, y : y + 25, x : x + 25] = one
    image[labels > 0] //= 2
    np.save(at / "image.npy", image)
    np.save(at / "other.npy", 255 - image)
    np.save(at / "labels.npy", labels)
    return Ground(at)


def start(words: Sequence[str], root: Path, **shot: object) -> subprocess.Popen[bytes]:
    """A command, to be shot as ``shot`` says (at, later, told) or not at all."""
    return subprocess.Popen(
        [sys.executable, "-m", "mitoem", *words, "--data", str(root), "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | (armed(root, **shot) if shot else {}),
    )


def armed(under: Path, **shot: object) -> dict[str, str]:
    """Environment of a process that is to be shot, or watched."""
    given = {f"SHOT_{name.upper()}": str(value) for name, value in shot.items()}
    return given | {"PYTHONPATH": str(SHOOTING), "SHOT_UNDER": str(under)}


def run(words: Sequence[str], root: Path, **shot: object) -> float:
    """Run a command to its end; seconds that it took."""
    began = time.monotonic()
    running = start(words, root, **shot)
    _, told = running.communicate(timeout=300)
    assert running.returncode == 0, told.decode()
    return time.monotonic() - began


def digest(root: Path) -> str:
    """Of all voxels, all metadata of arrays, and all numbers of tables."""
    found = hashlib.sha256()
    for path in sorted((root / "one" / "image.zarr").rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(root)}".encode() + path.read_bytes())
    for one in mitoem.open_volume("one", data=root).info.labels:
        found.update(mitoem.download("one", one.name, data=root).content)
    return found.hexdigest()


def sound(root: Path, before: Path, gone: Sequence[str] = ()) -> None:
    """What is listed is whole, and what was there before is there, but for labels called so."""
    names = mitoem.volumes(data=root)
    assert set(mitoem.volumes(data=before)) <= set(names)
    for name in names:
        volume = mitoem.open_volume(name, data=root)
        wrong = list(checking.check(volume, deep=True, data=root))
        assert not [one for one in wrong if one.severity == "error"], wrong
    for name in set(names) & set(mitoem.volumes(data=before)):
        now, then = (mitoem.open_volume(name, data=data) for data in (root, before))
        for one in then.info.labels:
            if one.name in gone:
                continue
            same = now.info.label_set(one.name).version == one.version
            if same and measured(then, one.name, before):
                assert measured(now, one.name, root), f"the table of {one.name} is lost"


def measured(volume: mitoem.volume.Volume, labels: str, data: Path) -> bool:
    try:
        mitoem.stored_table(volume, labels, data=data)
    except errors.TableMissing:
        return False
    return True


def kills(draw: random.Random, changes: int, seconds: float) -> Iterator[tuple[int, float]]:
    """Of each kill either the change that it precedes, or 0 and the second that it comes at."""
    for number in range(KILLS):
        share = (number + draw.random()) / KILLS
        yield (1 + int(share * changes), 0.0) if number % 2 == 0 else (0, share * seconds)


def count(note: str) -> None:
    """Write down a kill where ``MITOEM_KILLS_TOLD`` names a file."""
    if where := os.environ.get("MITOEM_KILLS_TOLD"):
        with Path(where).open("a") as out:
            out.write(note + "\n")


@pytest.mark.parametrize("name", COMMANDS if KILLS > 1 else ALWAYS)
def test_a_killed_command_is_as_if_it_had_never_begun_or_ended(
    name: str, ground: Ground, tmp_path: Path
) -> None:
    before, words = ground.root(COMMANDS[name][0]), ground.words(COMMANDS[name][1])
    again = words if name not in ("rename labels", "remove labels") else ["list"]
    gone = ("truth",) if again == ["list"] else ()
    whole, told = tmp_path / "whole", tmp_path / "told"
    shutil.copytree(before, whole)
    seconds = run(words, whole, told=told)
    changes = len(told.read_text().splitlines())
    wanted = {digest(whole)} | ({digest(before)} if gone else set())
    work = max(0.1, seconds - ground.starting)
    for number, (at, second) in enumerate(kills(random.Random(name), changes, work)):
        root = tmp_path / f"root-{number}"
        shutil.copytree(before, root)
        running = start(words, root, at=at)
        if not at:
            time.sleep(ground.starting + second)
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=300)
        place = f"change {at} of {changes}" if at else f"{second:.2f} of {work:.2f} s"
        ended = "" if running.returncode == -signal.SIGKILL else ", which had ended"
        count(f"{name}: {place}{ended}")
        sound(root, before, gone)
        run(again, root)
        assert digest(root) in wanted
        with shelf.held(root, "one"):
            pass  # as whoever changes the volume next
        left = [one for one in root.rglob("*") if "partial" in one.name or ".next" in one.name]
        assert not left, "nothing half made stays behind"
        shutil.rmtree(root)


@pytest.fixture
def predicted(ground: Ground, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A root with a finished prediction, and its run."""
    root = tmp_path / "predicted"
    shutil.copytree(ground.root(("start",)), root)
    asked = {"volume": "one", "box": "0:16,0:128,0:128"}
    run_id = jobs.submit(root, "predict", asked)
    assert jobs.wait(root, run_id, seconds=120).state == "done"
    yield root, run_id
    jobs.stop_worker(root)


def outlived(root: Path, run_id: str) -> jobs.RunState:
    """How a run ended whose worker may have been shot; another worker is there then."""
    state = jobs.wait(root, run_id, seconds=120)
    jobs.ensure_worker(root)
    assert state.state in ("done", "interrupted"), state
    return state


def test_a_worker_killed_while_it_saves_leaves_labels_whole_or_not_at_all(
    predicted: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_root, of = predicted
    jobs.stop_worker(start_root)
    asked = {"of": of, "name": "found"}
    whole, told = tmp_path / "whole", tmp_path / "told"
    shutil.copytree(start_root, whole)
    with monkeypatch.context() as here:
        for variable, value in armed(whole / "one", told=told).items():
            here.setenv(variable, value)
        done = jobs.wait(whole, jobs.submit(whole, "save", asked), seconds=120)
        assert done.state == "done", done
        jobs.stop_worker(whole)
    lines = told.read_text().splitlines()
    wanted, seconds = digest(whole), float(lines[-1].split()[0])
    for number, (at, second) in enumerate(kills(random.Random("save"), len(lines), seconds)):
        root = tmp_path / f"root-{number}"
        shutil.copytree(start_root, root)
        with monkeypatch.context() as here:
            for variable, value in armed(root / "one", at=at or 1, later=second).items():
                here.setenv(variable, value)
            run_id = jobs.submit(root, "save", asked)
        end = outlived(root, run_id)
        count(f"save: {f'change {at} of {len(lines)}' if at else f'{second:.2f} s'}: {end.state}")
        sound(root, start_root)
        again = jobs.wait(root, jobs.resubmit(root, run_id), seconds=120)
        assert again.state == "done", again
        assert digest(root) == wanted
        jobs.stop_worker(root)


def test_a_killed_worker_leaves_runs_that_can_be_asked_again(predicted: tuple[Path, str]) -> None:
    root, first = predicted
    labels = (jobs.directory(root, first) / "labels.npy").read_bytes()
    draw, request = random.Random(7), jobs.status(root, first).request
    began = time.monotonic()
    assert jobs.wait(root, jobs.submit(root, "predict", request), seconds=60).state == "done"
    warm = time.monotonic() - began
    for number in range(KILLS):
        run_id = jobs.submit(root, "predict", request)
        time.sleep((number + draw.random()) / KILLS * warm)
        living = jobs.registry.worker(root)
        if living:
            os.kill(int(living["who"][0]), signal.SIGKILL)
        jobs.ensure_worker(root)
        state = outlived(root, run_id)
        count(f"predict by the worker: {state.progress:.2f}: {state.state}")
        again = jobs.wait(root, jobs.resubmit(root, run_id), seconds=120)
        assert again.state == "done"
        assert (jobs.directory(root, again.id) / "labels.npy").read_bytes() == labels
