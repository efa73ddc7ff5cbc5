"""What the Help page says: keys, columns, metrics, filter language, versions, serving."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import pandas as pd

from mitoem.morphometry import COLUMNS
from mitoem.scores import METRICS
from mitoem.version import VERSION

_ACTION = re.compile(
    r'label: "(?P<label>[^"]+)", keys: \[(?P<keys>(?:"[^"]*"(?:, )?)*)\]'
    r'(?:, show: "(?P<show>[^"]+)")?'
)
_MOUSE = re.compile(r'^  \["(?P<what>[^"]+)", "(?P<text>[^"]+)"\],$', re.MULTILINE)

LIBRARIES = (
    ("streamlit", "Apache-2.0"),
    ("tensorstore", "Apache-2.0"),
    ("zarr", "MIT"),
    ("openvino", "Apache-2.0"),
    ("numpy", "BSD-3-Clause"),
    ("scipy", "BSD-3-Clause"),
    ("scikit-image", "BSD-3-Clause"),
    ("pandas", "BSD-3-Clause"),
    ("pyarrow", "Apache-2.0"),
    ("plotly", "MIT"),
    ("connected-components-3d", "LGPL-3.0"),
    ("fastremap", "LGPL-3.0"),
    ("nibabel", "MIT"),
    ("h5py", "BSD-3-Clause"),
    ("tifffile", "BSD-3-Clause"),
    ("trimesh", "MIT"),
    ("dask", "BSD-3-Clause"),
)
"""Run-time libraries that the numbers and pictures come from, with their licences."""

FILTERS = """
- Columns of the table: `volume_um3`, `sphericity`, `touches_border`, `split` …
- Numbers and words in quotes: `0.05`, `"train"`; `true` and `false`
- `<` `<=` `>` `>=` `==` `!=`, chained as in `0.01 < volume_um3 < 0.1`
- `in` and `not in` with a list: `instance_id in [3, 17]`
- `and`, `or`, `not`, parentheses

`volume_um3 > 0.05 and not touches_border and split == "train"`

The same text works in the filter box of Instances, in the address (`f=`, also on Explore, where
slices and 3-D show what it keeps), in the routes (`?filter=`) and on the command line
(`--filter`). A blank value compares false, so `not length_um > 1` keeps what was not measured.
"""

SERVING = """python -m mitoem demo                     # the two synthetic volumes, once
streamlit run app.py                      # this computer alone: http://127.0.0.1:8501
streamlit run app.py --server.address 0.0.0.0 --server.port 80        # everyone who can reach it
streamlit run app.py --server.baseUrlPath mitoem                      # below a path of a proxy
MITOEM_DATA=/big/disk:/shared/readonly streamlit run app.py           # other data roots
"""

VARIABLES = (
    ("MITOEM_DATA", "data roots, `:` between them, the first writable", "`data/`"),
    ("MITOEM_CACHE_BYTES", "decoded chunks kept in memory", "256 MB"),
    ("MITOEM_TILE_CACHE_BYTES", "encoded tiles kept in memory", "64 MB"),
    ("MITOEM_MESH_CACHE_BYTES", "surfaces kept in memory", "64 MB"),
    ("MITOEM_THREADS", "threads of the network", "all processors"),
    ("MITOEM_WORKER_IDLE", "seconds until an idle worker ends", "600"),
    ("MITOEM_SCHEDULER", "Dask scheduler that ingest and measure use", "this process"),
    ("MITOEM_STORE_PATIENCE", "seconds that a remote store is waited for", "6"),
    ("MITOEM_STORE_PAUSE", "seconds after which a store that did not answer is asked again", "15"),
    ("MITOEM_WORKERS_SECONDS", "seconds that a Dask cluster may be without a worker", "300"),
    ("MITOEM_NEUROGLANCER", "Neuroglancer that views are opened in", "the public one"),
    ("MITOEM_RUNS_PER_CLIENT", "unfinished runs of one person at a time; 0: any number", "8"),
    (
        "MITOEM_VOXELS_PER_HOUR",
        "voxels of one person, also separated anew; 0: any number",
        "2e9",
    ),
    ("MITOEM_VOLUMES_PER_CLIENT", "uploads of one person signed in; 0: any number", "20"),
    ("MITOEM_RUNS_BYTES", "bytes of finished runs, beyond which the oldest go", "any number"),
    ("MITOEM_UPLOAD_MEMORY", "bytes that reading an upload may take", "8 GiB, at most half of all"),
    ("MITOEM_UPLOAD_SECONDS", "seconds that reading an upload may take", "1800"),
    ("MITOEM_PAGES", "pages that are open at once", "300"),
    ("MITOEM_CLIENT_BYTES", "bytes that one client may take at once; 0: any number", "2e9"),
    ("MITOEM_CLIENT_BYTES_PER_S", "and in the long run, a second; 0: any number", "50e6"),
    ("MITOEM_LOG", "requests that are logged: `off`, `errors`, `all`", "`errors`"),
    ("MITOEM_UNLISTED_DAYS", "days that a signed-in person's upload is shown", "30"),
    ("MITOEM_TOKEN_HOURS", "hours that a token in a path is good for", "24"),
)
"""What is set by the environment; the same table is in ``docs/deployment.md``."""

LABEL_PROBLEM = (
    "Found a label that is wrong? Select the instance in Explore and press **Report label** on its "
    "card: a report with the link, the place and the numbers is copied, and a picture saved. Send "
    "both to the people who keep the labels; for MitoEM they are named at "
    "[mitoem.grand-challenge.org](https://mitoem.grand-challenge.org/)."
)


ELSEWHERE = (
    ("`n` `p`, on Evaluate", "next, previous error"),
    ("`1` `2` `3`, on Evaluate", "verdict: model wrong, label wrong, unsure; again: take it back"),
    ("`+` `-`, on Evaluate", "nearer, more around the error"),
    ("`e`, on Evaluate", "open the error in Explore"),
    ("arrows, on pictures of Instances", "the next instance, the one before"),
)
"""Keys of the error browser and of the pictures, while they have the focus."""


@cache
def keys() -> pd.DataFrame:
    """Every key: those of the viewer from the table that it is made from, then the others."""
    text = (files("mitoem.ui.viewer") / "actions.js").read_text(encoding="utf-8")
    rows = []
    for found in _ACTION.finditer(text):
        first = re.findall(r'"([^"]+)"', found["keys"])
        if first:
            rows.append((f"`{found['show'] or first[0]}`", found["label"]))
    rows += [(found["what"], found["text"]) for found in _MOUSE.finditer(text)]
    rows += ELSEWHERE
    return pd.DataFrame(rows, columns=["Key or mouse", "What it does"])


def columns() -> pd.DataFrame:
    """The data dictionary."""
    rows = [(f"`{c.name}`", c.unit or "–", c.definition, c.source) for c in COLUMNS]
    return pd.DataFrame(rows, columns=["Column", "Unit", "Definition", "Source"])


def metrics() -> pd.DataFrame:
    """Every metric by its full name."""
    rows = [(one.name, one.definition, one.better) for one in METRICS.values()]
    return pd.DataFrame(rows, columns=["Metric", "Definition", "Better"])


def versions() -> pd.DataFrame:
    """What is installed here."""
    rows = [("MitoEM explorer", VERSION, "MIT"), ("Python", sys.version.split()[0], "PSF-2.0")]
    rows += [(name, version(name), licence) for name, licence in LIBRARIES]
    return pd.DataFrame(rows, columns=["Program", "Version", "Licence"])


def variables() -> pd.DataFrame:
    """The environment variables."""
    return pd.DataFrame(VARIABLES, columns=["Variable", "What it sets", "Without it"])


TABLES: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "Keys": (keys, "They work while what they are for has the focus: click into it first."),
    "Columns": (columns, "Every column of an instance table; blank means not measured."),
    "Metrics": (metrics, "Instances match by intersection over union (IoU) of voxels."),
    "Serving": (variables, "Environment variables of the server."),
    "Versions and licences": (versions, "The explorer is MIT; what it stands on:"),
}
"""Sections of the page that hold a table, and the line above it."""


def section(title: str) -> tuple[pd.DataFrame | None, str]:
    """The table of a section, or None, and the line above it."""
    if title not in TABLES:
        return None, ""
    make, note = TABLES[title]
    frame = make()
    return frame.set_index(frame.columns[0]), note
