"""Two label sets beside each other: which they are, and what kind of difference they can show."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from mitoem import effects
from mitoem.effects import Draw, Extent
from mitoem.errors import TableMissing, VolumeInvalid
from mitoem.geometry import Box
from mitoem.ui import address, cache, distribution, panels, words
from mitoem.ui.instances import offer_to_measure

ONE_SPECIMEN = (
    "Two volumes are one specimen each: a difference between them is a difference between these "
    "two blocks of tissue, not between species, ages or conditions."
)

SAME_TISSUE = (
    "A and B label the same tissue: a difference between them is one of the labels, not of the "
    "tissue."
)

OTHER_PARTS = (
    "They label different parts of this volume: some of the difference is where they look."
)


MOST_SEED = 999_999_999


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two label sets, ``volume/labels``, their tables, and whether cut instances are left out."""

    a: str
    b: str
    tables: tuple[pd.DataFrame, pd.DataFrame]
    complete_only: bool

    @property
    def names(self) -> tuple[str, str]:
        """What plots call them."""
        return f"A · {self.a}", f"B · {self.b}"

    def called(self, name: str) -> str:
        """What plots call one of the two sets; nothing for any other set."""
        return dict(zip((self.a, self.b), self.names, strict=True)).get(name, "")

    @property
    def one_volume(self) -> bool:
        """Whether both label the same tissue."""
        return self.a.partition("/")[0] == self.b.partition("/")[0]

    @property
    def named(self) -> dict[str, pd.DataFrame]:
        """The tables under the names of plots."""
        return dict(zip(self.names, self.tables, strict=True))

    @property
    def measured(self) -> list[str]:
        """Measures that both tables hold."""
        return [
            name
            for name in distribution.MEASURES
            if all(name in one.columns and one[name].notna().any() for one in self.tables)
        ]

    @property
    def lacking(self) -> str:
        """That a set has no instance, or only cut ones where those are left out; else empty."""
        for name, table in self.named.items():
            if table.empty:
                return f"Nothing to compare: {name} has no instance."
            if self.complete_only and table["touches_border"].all():
                return (
                    f"Nothing to compare: {name} has no complete instance. Switch “complete only” "
                    f"off to include its {len(table)} cut ones."
                )
        return ""


def sets() -> list[str]:
    """Every measured or measurable label set of this server, as ``volume/labels``."""
    return [
        f"{name}/{labels.name}"
        for name in cache.volume_names()
        for labels in cache.volume(name).info.labels
    ]


def other(found: list[str], first: str) -> str:
    """What to compare with at first: labels of the same name elsewhere, else any other set."""
    volume, _, labels = first.partition("/")
    rest = [one for one in found if one != first]
    alike = [one for one in rest if one.endswith(f"/{labels}") and not one.startswith(f"{volume}/")]
    return (alike or rest)[0]


def load(a: str, b: str, *, complete_only: bool) -> Pair | None:
    """The tables of two label sets; offers to measure those that have none."""
    missing = False
    for name in (a, b):
        try:
            table(name)
        except (TableMissing, VolumeInvalid) as found:
            missing = True
            volume, _, labels = name.partition("/")
            offer_to_measure(volume, labels, found)
    return None if missing else Pair(a, b, (table(a), table(b)), complete_only)


def table(name: str) -> pd.DataFrame:
    """The instance table of ``volume/labels``; raises TableMissing."""
    volume, _, labels = name.partition("/")
    return cache.table(cache.volume(volume), labels)


def versions(pair: Pair) -> tuple[str, ...]:
    """Where A and B lie, and which version of the labels and of the table: what numbers rest on."""
    found: list[str] = []
    for name in (pair.a, pair.b):
        volume, _, labels = name.partition("/")
        of = cache.volume(volume)
        found += [of.url, cache.table_version(of, labels)]
    return tuple(found)


def labels_version(name: str) -> str:
    """Which version the labels of ``volume/labels`` are."""
    volume, _, labels = name.partition("/")
    return cache.volume(volume).info.label_set(labels).version


def draw(pair: Pair) -> Draw:
    """How blocks are drawn, as the address says: ``edge`` of a block in µm, ``boot`` the seed."""
    edges, usual = _edges(pair)
    text = address.word("edge", f"{usual:g}")
    edge = next((one for one in edges if f"{one:g}" == text), usual)
    return Draw(edge, seed=words.whole("boot", 0, MOST_SEED, 0), paired=pair.one_volume)


def settings(pair: Pair) -> None:
    """Widgets for the edge of a block and the seed."""
    edges, usual = _edges(pair)
    with st.popover("Blocks", icon=":material/grid_on:", type="tertiary"):
        words.choice("edge", "Edge of a block", [f"{one:g}" for one in edges], f"{usual:g}",
                     names=lambda one: f"{one} µm")  # fmt: skip
        st.session_state["word_boot"] = draw(pair).seed
        st.number_input("Seed", 0, MOST_SEED, step=1, key="word_boot", on_change=_reseed)
        st.caption(
            "Blocks should be larger than the reach within which neighbours resemble each other, "
            f"and many: fewer than {effects.FEWEST_BLOCKS} give no interval."
        )


def _reseed() -> None:
    seed = int(st.session_state["word_boot"])
    address.change(boot=str(seed) if seed else None)


def _edges(pair: Pair) -> tuple[list[float], float]:
    """Edges that cut the labelled part of both sets into some blocks, not too many; the usual."""
    parts = _extent(pair.a), _extent(pair.b)
    usual = effects.usual_edge(*parts)
    return sorted({*effects.fitting_edges(*parts), usual}), usual


def _extent(name: str) -> Extent:
    """The box around the labelled part of a volume."""
    volume, _, labels = name.partition("/")
    info = cache.volume(volume).info
    boxes = info.label_set(labels).coverage or (Box.whole(info.shape),)
    um = [nm / 1000 for nm in info.voxel_size]
    z0, y0, x0 = (min(box.start[i] for box in boxes) * um[i] for i in range(3))
    z1, y1, x1 = (max(box.stop[i] for box in boxes) * um[i] for i in range(3))
    return Extent((z0, y0, x0), (z1, y1, x1))


def caveat(pair: Pair) -> str:
    """What the difference of two sets does not tell."""
    if not pair.one_volume:
        return ONE_SPECIMEN
    volume, _, first = pair.a.partition("/")
    info = cache.volume(volume).info
    second = pair.b.partition("/")[2]
    same = info.label_set(first).coverage == info.label_set(second).coverage
    return SAME_TISSUE if same else f"{SAME_TISSUE} {OTHER_PARTS}"


def too_few(found: list[str]) -> None:
    """What to do where there are no two label sets."""
    panels.empty(
        f"Compare needs two label sets, found {len(found)}",
        "Add a second volume, or save a prediction on Inference and compare it with the truth.",
        code=panels.DEMO,
    )
