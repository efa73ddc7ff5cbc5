"""What can be set is told in one table, on the page of help and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from mitoem import settings
from mitoem.ui import manual

ROOT = Path(__file__).parents[1]

NAMES = {"MITOEM_SHAPE", "MITOEM_VOXEL_SIZE", "MITOEM_SPLITS"}
"""Names in the code that are constants, not variables of the environment."""

TRAINING = {"MITOEM_EM"}
"""What only training and tests read."""


def used() -> set[str]:
    files = [ROOT / "app.py", *(ROOT / "mitoem").rglob("*.py")]
    found = {name for file in files for name in re.findall(r"MITOEM_[A-Z_]+", file.read_text())}
    return found - NAMES - TRAINING


def test_every_variable_is_on_the_page_of_help() -> None:
    assert {name for name, _, _ in manual.VARIABLES} == used()


def test_every_number_is_checked_when_the_server_starts() -> None:
    words = ("DATA", "SCHEDULER", "NEUROGLANCER", "LOG")
    assert {*settings.NUMBERS, *(f"MITOEM_{one}" for one in words)} == used()


def test_the_documentation_has_the_same_table() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    rows = re.findall(r"^\| `(MITOEM_[A-Z_]+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert tuple(rows) == manual.VARIABLES
