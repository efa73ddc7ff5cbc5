"""The dataset card of MitoEM2021 with its corrections, as tables to read."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import streamlit as st

from mitoem.front.agreement import Published
from mitoem.version import VERSION

COLUMNS = {
    "field": "Field",
    "card": "The card says",
    "value": "Value",
    "unit": "Unit",
    "status": "Status",
    "source": "Source",
}

_BADGE = {"confirmed": "green", "corrected": "orange", "unverified": "gray"}

_TOOL = f"""@software{{mitoem_explorer,
  title   = {{{{MitoEM}} explorer}},
  author  = {{{{The MitoEM explorer authors}}}},
  version = {{{VERSION}}},
  year    = {{2026}},
  note    = {{MIT licence}}
}}
"""


@cache
def card() -> dict[str, Any]:
    """Everything that is known of the card: its tables, citations, published numbers, files."""
    text = (files("mitoem") / "assets" / "mitoem2021.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    """One table of the card, a row per field, the status as a coloured badge."""
    out = pd.DataFrame(rows)[list(COLUMNS)].rename(columns=COLUMNS)
    out["Field"] = [f"**{text}**" for text in out["Field"]]
    out["Status"] = [f":{_BADGE[text]}-badge[{text}]" for text in out["Status"]]
    return out.set_index("Field")


def counts() -> dict[str, int]:
    """How many fields have each status."""
    found = [row["status"] for table in card()["tables"] for row in table["rows"]]
    return {status: found.count(status) for status in _BADGE}


@cache
def published() -> tuple[Published, ...]:
    """Every published number that can be set against a measured one."""
    return tuple(Published(**one) for one in card()["published"])


def results() -> pd.DataFrame:
    """Published challenge results, each with metric, split and label version."""
    out = pd.DataFrame(card()["results"]["rows"]).rename(columns=str.capitalize)
    out[["R", "H"]] = out[["R", "H"]].map("{:.3f}".format)
    return out.set_index("Method")


def citations() -> dict[str, str]:
    """What to cite, as BibTeX: the data set, the challenge, this program."""
    return {
        "The data set": card()["citation"],
        "The challenge and its results": card()["challenge_citation"],
        "This program": _TOOL,
    }


def cite(title: str, bibtex: str) -> None:
    """One citation, with a button that copies it."""
    st.markdown(f"**{title}**")
    st.code(bibtex, language="bibtex", wrap_lines=True)


def plain(text: str) -> str:
    r"""The text with nothing in it that Markdown would read as a sign.

    >>> plain("stack_1*.tif")
    'stack\\_1\\*.tif'
    """
    return re.sub(r"([\\`*_{}\[\]<>#$~|:!])", r"\\\1", text)
