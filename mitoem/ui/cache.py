"""What the pages keep between runs: handles by address, small results by version.

No array and no frame is ever an argument: only names and versions are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import pandas as pd
import streamlit as st

from mitoem import catalog
from mitoem.catalog import Catalog
from mitoem.errors import ModelInvalid, VolumeNotFound
from mitoem.inference.model import BUNDLED
from mitoem.ui import signin
from mitoem.volume import Volume


def roots() -> Catalog:
    """The data roots of this server."""
    return catalog.from_environment()


def data() -> str:
    """The data roots as one text, for a run in the worker."""
    return os.pathsep.join(roots().roots)


def volume_names() -> list[str]:
    """Names of the volumes that this person is told of."""
    return roots().listed(signin.user())


def may_see(name: str) -> bool:
    """Whether this person may see a volume."""
    return catalog.may_see(name, signin.user(), roots=roots())


def volume(name: str) -> Volume:
    """The volume of that name, if this person may see it; its handle is kept by the library.

    Raises VolumeNotFound: nothing tells a hidden volume from one that does not exist.
    """
    try:
        return roots().open_for(name, signin.user())
    except VolumeNotFound as error:
        known = ", ".join(volume_names()) or "none"
        raise VolumeNotFound(f"no volume {name!r} here; there are: {known}") from error


def synthetic(names: Iterable[str]) -> list[str]:
    """Those of the named volumes that are phantoms, each once."""
    return [name for name in dict.fromkeys(names) if volume(name).info.synthetic]


def table(of: Volume, labels: str) -> pd.DataFrame:
    """The instance table of a label set; raises TableMissing. The frame is the caller's own."""
    return _table(of.name, of.url, labels, table_version(of, labels))


def measured(of: Volume, labels: str) -> frozenset[str]:
    """Columns of the table of a label set that hold a value; raises TableMissing."""
    return _measured(of.name, of.url, labels, table_version(of, labels))


@st.cache_data(max_entries=64, show_spinner=False)
def _measured(name: str, url: str, labels: str, version: str) -> frozenset[str]:
    frame = _table(name, url, labels, version)
    return frozenset(column for column in frame.columns if frame[column].notna().any())


def table_version(of: Volume, labels: str) -> str:
    """Changes when the labels do, and when their table is measured again."""
    note = roots().provenance(of, labels) or {}
    return f"{of.info.label_set(labels).version} {note.get('sha256')}"


@st.cache_data(max_entries=8, show_spinner=False)
def _table(name: str, url: str, labels: str, version: str) -> pd.DataFrame:
    del url, version
    return roots().table(volume(name), labels)


@st.cache_data(max_entries=1, show_spinner=False)
def model() -> dict[str, Any]:
    """What the bundled model says of itself; raises ModelInvalid where it cannot be read."""
    path = BUNDLED.with_suffix(".json")
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelInvalid(f"model file {path.name} cannot be read: {error}") from error
    return facts
