"""Data roots that the tests share: small phantoms written and measured by the real writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitoem import demo, jobs

SHAPE = (32, 384, 576)
"""Of both small volumes, (z, y, x) at 30 × 8 × 8 nm: several instances, two levels."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop, in which no other may start."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with small ``phantom-r`` and ``phantom-h``: image, labels truth, table.

    Shared by the session: tests that change a volume copy it first.
    """
    root = tmp_path_factory.mktemp("data")
    for name in demo.NAMES:
        demo.make(root, name, shape=SHAPE, seed=7)
    return root


@pytest.fixture
def small_data(small_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The small root, named by ``MITOEM_DATA`` for the time of one test."""
    monkeypatch.setenv("MITOEM_DATA", str(small_root))
    yield small_root


@pytest.fixture
def own_root(tmp_path: Path, small_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root with phantom-h alone, to change; ``MITOEM_DATA`` names it."""
    shutil.copytree(small_root / "phantom-h", tmp_path / "phantom-h")
    monkeypatch.setenv("MITOEM_DATA", str(tmp_path))
    yield tmp_path
    jobs.stop_worker(tmp_path)
