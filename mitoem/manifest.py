"""``volume.json``: what a volume is, where it came from, and which files it consists of.

The dictionary form is indexed here and nowhere else. It holds no date, so that the same sources
give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from mitoem.errors import LabelsNotFound, NameInvalid, VolumeInvalid
from mitoem.geometry import Box, Index, VoxelSize

FORMAT = "mitoem-volume"
FORMAT_VERSION = 1
FILE = "volume.json"
NEXT = ".next.json"
"""Beside it, while a change is made: all that is to be done; see ``ingestion.shelf``."""

SEAL = "checksum"
"""The key, in a JSON object that we write, of the SHA-256 of all else that it says."""

RESERVED: Final = {
    "volume": {"runs", "index.json", "access.json"},
    "labels": {"image", "zarr.json"},
}
"""Names that mean something else where the volume, or the labels, would lie."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str, *, what: str = "volume") -> str:
    """The name itself; raises NameInvalid outside ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}``.

    >>> check_name("phantom-r")
    'phantom-r'
    """
    if not _NAME.fullmatch(name):
        raise NameInvalid(
            f"{what} name {name[:80]!r} is not 1 to 64 of A-Z a-z 0-9 . _ - "
            "starting with a letter or digit"
        )
    if name in RESERVED.get(what, ()):
        raise NameInvalid(f"{what} name {name!r} means something else there; choose another")
    return name


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the checksum of what it says, whatever the order of its keys."""
    return {**data, SEAL: _digest(data)}


def check_seal(data: Mapping[str, Any], *, where: str) -> None:
    """Raise VolumeInvalid for a JSON object that is not as it was written.

    One without a checksum passes: an older one, or one that a person took in hand.
    """
    kept = data.get(SEAL)
    if kept is not None and kept != (found := _digest(data)):
        raise VolumeInvalid(
            f"{where}: expected {SEAL} {kept}, found {found}: damaged, or edited by hand (without "
            f"its {SEAL} it is taken as it is)"
        )


def _digest(data: Mapping[str, Any]) -> str:
    said = {key: value for key, value in data.items() if key != SEAL}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Split:
    """A named range of sections: z from ``start`` up to, not including, ``stop``."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file that the volume was made from; ``role`` is ``image`` or a labels name."""

    role: str
    file: str
    format: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class GreyStats:
    """Grey values of the whole image at level 0: percentiles, mean and the 256-bin histogram."""

    p1: int
    p50: int
    p99: int
    mean: float
    histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LevelInfo:
    """One level of the pyramid; ``factors`` against level 0; voxel size in nm (z, y, x)."""

    factors: Index
    shape: Index
    voxel_size: VoxelSize


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels beside an image: truth, or a prediction.

    ``coverage`` are the level-0 boxes that somebody labelled; outside nothing is known.
    ``vanished`` counts, per level, the instances that no voxel of that level shows.
    """

    name: str
    kind: Literal["truth", "prediction"]
    dtype: Literal["uint16", "uint32"]
    coverage: tuple[Box, ...]
    instances: int
    vanished: tuple[int, ...]
    version: str
    provenance: str = ""
    per_section: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """All that ``volume.json`` says. Shapes and voxel sizes (z, y, x), nm.

    ``shards`` names every file of every array, ``image/0`` or ``truth/0`` -> path -> bytes;
    ``metadata`` every small file of ``image.zarr`` -> SHA-256, empty in volumes of old.
    ``made_from`` tells the sources, and what was asked of them, from any other; ``first_slice`` is
    the number of the slice that became z = 0.
    """

    name: str
    title: str
    synthetic: bool
    shape: Index
    voxel_size: VoxelSize
    voxel_size_source: str
    levels: tuple[LevelInfo, ...]
    grey: GreyStats
    version: str
    splits: tuple[Split, ...] = ()
    labels: tuple[LabelSet, ...] = ()
    sources: tuple[Source, ...] = ()
    licence: str = "not stated"
    citation: str = ""
    description: str = ""
    made_from: str = ""
    first_slice: int = 0
    shards: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def label_set(self, name: str) -> LabelSet:
        """The label set of that name; raises LabelsNotFound, which lists those that exist."""
        for labels in self.labels:
            if labels.name == name:
                return labels
        known = ", ".join(one.name for one in self.labels) or "none"
        raise LabelsNotFound(f"volume {self.name!r} has no labels {name!r}; it has: {known}")

    def measured_from(self, labels: str) -> str:
        """A short name for all that the measurements of a label set follow from.

        Voxels and grey values, the voxel size, the labelled region, the splits. Raises
        LabelsNotFound.
        """
        one = self.label_set(labels)
        boxes = [[box.start, box.stop] for box in one.coverage]
        splits = [asdict(split) for split in self.splits]
        facts = [self.version, one.version, self.voxel_size, self.shape, boxes, splits]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def level_infos(
    shape: Index, voxel_size: VoxelSize, factors: tuple[Index, ...]
) -> tuple[LevelInfo, ...]:
    """Levels with these cumulative factors; odd sizes round up."""
    infos = []
    for f in factors:
        z, y, x = (-(-n // k) for n, k in zip(shape, f, strict=True))
        vz, vy, vx = (v * k for v, k in zip(voxel_size, f, strict=True))
        infos.append(LevelInfo(f, (z, y, x), (vz, vy, vx)))
    return tuple(infos)


def to_json(info: VolumeInfo) -> dict[str, Any]:
    """The dictionary that is written to ``volume.json``."""
    out: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
    out |= asdict(info)
    out["voxel_size_nm"] = out.pop("voxel_size")
    out["levels"] = [list(level.factors) for level in info.levels]
    for labels in out["labels"]:
        labels["coverage"] = [[box["start"], box["stop"]] for box in labels["coverage"]]
    return sealed(out)


def from_json(data: Mapping[str, Any], *, where: str = "volume.json") -> VolumeInfo:
    """Parse the dictionary of ``volume.json``; raises VolumeInvalid, naming ``where`` and why."""
    try:
        if data["format"] != FORMAT or data["format_version"] != FORMAT_VERSION:
            raise VolumeInvalid(
                f"{where}: expected {FORMAT} version {FORMAT_VERSION}, "
                f"found {data['format']} version {data['format_version']}"
            )
        check_seal(data, where=where)
        return _parse(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, VolumeInvalid):
            raise
        raise VolumeInvalid(f"{where}: {type(error).__name__} {error}") from error


def _parse(data: Mapping[str, Any]) -> VolumeInfo:
    shape, voxel_size = _index(data["shape"]), _sizes(data["voxel_size_nm"])
    grey = data["grey"]
    return VolumeInfo(
        name=check_name(data["name"]),
        title=str(data["title"]),
        synthetic=bool(data["synthetic"]),
        shape=shape,
        voxel_size=voxel_size,
        voxel_size_source=str(data["voxel_size_source"]),
        levels=level_infos(shape, voxel_size, tuple(_index(f) for f in data["levels"])),
        grey=GreyStats(
            int(grey["p1"]),
            int(grey["p50"]),
            int(grey["p99"]),
            float(grey["mean"]),
            tuple(int(n) for n in grey["histogram"]),
        ),
        version=str(data["version"]),
        splits=tuple(Split(s["name"], int(s["start"]), int(s["stop"])) for s in data["splits"]),
        labels=tuple(_label_set(one) for one in data["labels"]),
        sources=tuple(Source(**one) for one in data["sources"]),
        licence=str(data["licence"]),
        citation=str(data["citation"]),
        description=str(data["description"]),
        made_from=str(data.get("made_from", "")),
        first_slice=int(data.get("first_slice", 0)),
        shards={
            str(array): {str(path): int(n) for path, n in files.items()}
            for array, files in data["shards"].items()
        },
        metadata={str(path): str(sha) for path, sha in data.get("metadata", {}).items()},
    )


def _label_set(data: Mapping[str, Any]) -> LabelSet:
    kind, dtype = data["kind"], data["dtype"]
    if kind not in ("truth", "prediction") or dtype not in ("uint16", "uint32"):
        raise ValueError(f"labels of kind {kind!r} and dtype {dtype!r}")
    return LabelSet(
        name=check_name(data["name"], what="labels"),
        kind=kind,
        dtype=dtype,
        coverage=tuple(Box(_index(a), _index(b)) for a, b in data["coverage"]),
        instances=int(data["instances"]),
        vanished=tuple(int(n) for n in data["vanished"]),
        version=str(data["version"]),
        provenance=str(data["provenance"]),
        per_section=tuple(int(n) for n in data["per_section"]),
    )


def _index(values: Any) -> Index:
    z, y, x = (int(v) for v in values)
    return z, y, x


def _sizes(values: Any) -> VoxelSize:
    z, y, x = (float(v) for v in values)
    if min(z, y, x) <= 0:
        raise ValueError(f"voxel size {values} is not above 0")
    return z, y, x
