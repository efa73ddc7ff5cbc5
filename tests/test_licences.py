"""The licences of what is installed at run time are those that the documentation lists."""

from __future__ import annotations

import re
from pathlib import Path

import licences

LISTED = Path(__file__).parents[1] / "docs" / "licences.md"

ALLOWED = {
    "0BSD", "3-Clause BSD License", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0",
    "ISC", "LGPL-3.0", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0",
    "PSF-2.0", "Zlib",
}  # fmt: skip
"""Licences under which an MIT program may be served: none asks for the program's own source."""


def listed() -> dict[str, str]:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", LISTED.read_text("utf-8"), re.MULTILINE)
    return {name: one for name, one in rows if name != "package"}


def test_the_list_names_everything_that_is_installed_here() -> None:
    """All but what other platforms need beside: colorama on Windows."""
    here = licences.licences()
    assert "streamlit" in here and "tornado" in here, "the closure, not the first row alone"
    known = listed()
    unlisted = set(here) - set(known) - {"colorama"}
    assert not unlisted, f"write docs/licences.md anew: {sorted(unlisted)} are not in it"
    changed = {name: (known[name], one) for name, one in here.items() if known.get(name) != one}
    assert not changed


def test_every_licence_is_one_that_may_be_used() -> None:
    for name, text in listed().items():
        for one in re.split(r" AND | OR ", text):
            assert one in ALLOWED, f"{name}: {text}"
