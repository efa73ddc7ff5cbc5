"""What is published of MitoEM's two volumes against what is measured on a copy of them.

A copy is known by a careful rule: not synthetic, MitoEM's shape and voxel size, and a name, or a
source file, that says R or H while none says the other. Of any other volume nothing is compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import pandas as pd

from mitoem.geometry import MITOEM_SHAPE, MITOEM_VOXEL_SIZE, Box, Index, VoxelSize, voxel_volume_um3
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.morphometry import MEDIUM_VOXELS, SMALL_VOXELS

Letter: TypeAlias = Literal["R", "H"]
Agreement: TypeAlias = Literal["agrees", "differs", "not comparable", "nothing published"]

LABELLED_HALF: Final = Box((0, 0, 0), (500, *MITOEM_SHAPE[1:]))
"""What is labelled of both volumes. Source: Wei et al., MICCAI 2020."""

RULE: Final = (
    "A volume counts as MitoEM's R or H if it is not synthetic, has "
    f"{' × '.join(f'{n:,}' for n in MITOEM_SHAPE)} voxels of "
    f"{' × '.join(f'{v:g}' for v in MITOEM_VOXEL_SIZE)} nm (z, y, x), and its name (R, mito-r, "
    "EM30-R, rat …) or a source file (EM30-R-im.zip …) says which, with none saying the other."
)
"""The rule of ``identify``, for a person."""

_LETTER: Final[Mapping[str, Letter]] = {"r": "R", "rat": "R", "h": "H", "human": "H"}
_NAME = re.compile(r"(?:(?:em30|mito(?:em)?(?:2021)?)[-_.]?)?(r|h|rat|human)", re.IGNORECASE)
_FILE = re.compile(
    r"(?:em30|mito(?:em)?(?:2021)?)[-_.](r|h|rat|human)(?![a-z0-9])[^/]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something to measure: a short name, its words, its unit, decimals shown, what is counted."""

    name: str
    title: str
    unit: str
    decimals: int
    counted: str


QUANTITIES: Final = (
    Quantity("labelled_um3", "Labelled volume", "µm³", 1, "labelled voxels × voxel volume"),
    Quantity("instances", "Instances", "instances", 0, "every id of the labels, cut ones too"),
    Quantity("density_per_um3", "Density", "1/µm³", 3, "instances, cut ones too / labelled volume"),
    Quantity("foreground_percent", "Foreground", "%", 2, "voxels of instances / labelled voxels"),
    Quantity("foreground_um3", "Foreground volume", "µm³", 1, "voxels of instances × voxel volume"),
    Quantity("smallest_voxels", "Size of the smallest", "voxels", 0, "among all, cut ones too"),
    Quantity(
        "small_percent", "Small instances", "%", 1, f"up to {SMALL_VOXELS:,} voxels, cut or not"
    ),
    Quantity(
        "medium_percent",
        "Medium instances",
        "%",
        1,
        f"up to {MEDIUM_VOXELS:,} voxels, cut or not",
    ),
    Quantity("large_percent", "Large instances", "%", 1, "above that, cut or not"),
    Quantity("whole_instances", "Instances, all slices", "instances", 0, "not measured here"),
)
"""Every row of the comparison, in order."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published number, its last printed digit (``step``), and where it comes from.

    ``of`` names the volume: R, H, both alike, or either where the source does not say which.
    ``least``: it is a lower bound.
    """

    quantity: str
    of: Literal["R", "H", "both", "either"]
    value: float
    step: float
    source: str
    least: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Which volume of MitoEM this is, or None; and why that is so."""

    letter: Letter | None
    reason: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on labels; values in the units of ``QUANTITIES``, None where unknown.

    ``cut`` counts the instances that the edge of the labelled part cuts, ``smallest_complete`` is
    the smallest of the others, voxels.
    """

    values: Mapping[str, float]
    cut: int = 0
    smallest_complete: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One quantity: all that is published of it, what is measured, and whether they agree.

    ``tolerance`` in words, empty where nothing is compared; ``reason``: why it is not, or by how
    much they differ, or what one must know to read the number.
    """

    quantity: Quantity
    published: tuple[Published, ...]
    measured: float | None
    agreement: Agreement
    tolerance: str
    reason: str


def identify(info: VolumeInfo) -> Identity:
    """Whether a volume is MitoEM's R or H, by ``RULE``."""
    if info.synthetic:
        return Identity(None, "it is a synthetic phantom")
    if info.shape != MITOEM_SHAPE:
        return Identity(None, f"it has {_times(info.shape)} voxels, not {_times(MITOEM_SHAPE)}")
    if any(abs(a / b - 1) > 1e-3 for a, b in zip(info.voxel_size, MITOEM_VOXEL_SIZE, strict=True)):
        found, wanted = _times(info.voxel_size), _times(MITOEM_VOXEL_SIZE)
        return Identity(None, f"its voxels are {found} nm, not {wanted} nm")
    named = _NAME.fullmatch(info.name)
    files = [_FILE.match(re.split(r"[\\/]", source.file)[-1]) for source in info.sources]
    said = {_LETTER[found[1].lower()] for found in (named, *files) if found}
    if len(said) > 1:
        return Identity(None, "its name and its source files say R and H at once")
    if not said:
        return Identity(None, "neither its name nor a source file says R or H")
    letter = said.pop()
    return Identity(letter, f"its name or a source file says {letter}; shape and voxel size fit")


def measured(
    frame: pd.DataFrame | None, coverage: Sequence[Box], *, voxel_size: VoxelSize
) -> Measured:
    """Sum up an instance table; without one only the labelled volume is known.

    ``coverage``: the labelled boxes, apart from each other; ``voxel_size`` in nm (z, y, x).
    """
    voxel, voxels = voxel_volume_um3(voxel_size), sum(box.size for box in coverage)
    values: dict[str, float] = {"labelled_um3": voxels * voxel} if voxels else {}
    if frame is None:
        return Measured(values)
    count, inside = len(frame), int(frame["voxel_count"].sum())
    values |= {"instances": count, "foreground_um3": inside * voxel}
    if voxels:
        values |= {"density_per_um3": count / (voxels * voxel)}
        values |= {"foreground_percent": 100 * inside / voxels}
    if not count:
        return Measured(values)
    values["smallest_voxels"] = int(frame["voxel_count"].min())
    for name in ("small", "medium", "large"):
        values[f"{name}_percent"] = 100 * float((frame["size_class"] == name).mean())
    cut = frame["touches_border"].astype(bool)
    complete = frame.loc[~cut, "voxel_count"]
    smallest = None if complete.empty else int(complete.min())
    return Measured(values, cut=int(cut.sum()), smallest_complete=smallest)


def against(info: VolumeInfo, labels: LabelSet) -> Identity:
    """Which volume's published numbers these labels may be compared with, or None and why."""
    found = identify(info)
    if found.letter and labels.kind == "prediction":
        return Identity(None, f"“{labels.name}” is a prediction, not the published labels")
    return found


def compare(
    frame: pd.DataFrame | None,
    coverage: Sequence[Box],
    *,
    voxel_size: VoxelSize,
    published: Sequence[Published],
    letter: Letter | None,
) -> tuple[Comparison, ...]:
    """Every quantity, published and measured; ``letter`` None compares nothing.

    ``frame``: an instance table, None where none was measured; ``coverage``: the labelled boxes.
    """
    found = measured(frame, coverage, voxel_size=voxel_size)
    half = sum(box.size for box in coverage) == LABELLED_HALF.size and all(
        box.intersect(LABELLED_HALF) == box for box in coverage
    )
    rows = []
    for quantity in QUANTITIES:
        told = tuple(one for one in published if one.quantity == quantity.name)
        value = found.values.get(quantity.name)
        mine = next((one for one in told if letter and one.of in (letter, "both")), None)
        mark, reason = _agreement(quantity, told, value, mine, half=half)
        shown = mark in ("agrees", "differs")
        tolerance = _tolerance(mine) if mine and shown else ""
        reason = " · ".join(filter(None, (reason, _remark(quantity, found))))
        rows.append(Comparison(quantity, told, value, mark, tolerance, reason))
    return tuple(rows)


def _agreement(
    quantity: Quantity,
    told: Sequence[Published],
    value: float | None,
    mine: Published | None,
    *,
    half: bool,
) -> tuple[Agreement, str]:
    """The mark of a quantity, and its reason where the number itself gives one."""
    if not told:
        return "nothing published", ""
    if value is None or mine is None:
        return "not comparable", "R or H is not stated" if told[0].of == "either" else ""
    if not half and quantity.name != "labelled_um3":
        return "not comparable", "published of slices 0–499, the labels cover another part"
    gap = value - mine.value
    if gap >= 0 if mine.least else abs(gap) <= mine.step / 2:
        return "agrees", ""
    told_gap = f"{gap:+,.{quantity.decimals}f} ({100 * gap / mine.value:+.2g} %)"
    return "differs", told_gap.replace("-", "−")


def _tolerance(mine: Published) -> str:
    """How near is near enough, in words: half of the last digit that is printed."""
    if mine.least:
        return f"at least {mine.value:,g}"
    return f"± {mine.step / 2:g}, half its last digit"


def _remark(quantity: Quantity, found: Measured) -> str:
    """What one must know of the instances that are cut."""
    if quantity.name == "instances" and found.values.get("instances") is not None:
        return f"{found.cut:,} of them cut"
    if quantity.name == "smallest_voxels" and found.smallest_complete is not None:
        return f"smallest complete one: {found.smallest_complete:,}"
    return ""


def _times(values: Index | VoxelSize) -> str:
    return " × ".join(f"{one:,g}" for one in values)
