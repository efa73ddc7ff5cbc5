"""Slice numbers in file names: ``im0007.png`` is slice 7, ``mito-val-v2/seg0400.tif`` slice 400."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from mitoem.errors import SourceUnreadable, SourceUnsupported


def numbered(names: Iterable[str], *, where: str) -> dict[int, str]:
    """Slice number → file name, by rising number.

    The number is the last one in a name; in a folder whose names share one form and differ in one
    number alone, it is that one. Raises SourceUnsupported for a name without a number,
    SourceUnreadable for two files of one number.
    """
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        folders[_path(name).parent.as_posix()].append(name)
    found: dict[int, str] = {}
    for inside in folders.values():
        which = _place(inside)
        for name in inside:
            groups = _groups(name)
            if not groups:
                raise SourceUnsupported(
                    f"{where}[{name}]: expected a slice number in the name, found none"
                )
            number = int(groups[which])
            if number in found:
                raise SourceUnreadable(
                    f"{where}: expected one file per slice, found two for slice {number}: "
                    f"{found[number]} and {name}"
                )
            found[number] = name
    return dict(sorted(found.items()))


def runs(numbers: Sequence[int]) -> tuple[range, ...]:
    """Rising numbers as ranges without gaps.

    >>> runs([0, 1, 2, 7, 8])
    (range(0, 3), range(7, 9))
    """
    edges = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(numbers)) if b > a + 1), len(numbers)]
    return tuple(range(numbers[a], numbers[b - 1] + 1) for a, b in pairwise(edges))


def missing(slices: dict[int, str], *, most: int = 5) -> tuple[int, list[str]]:
    """How many files are absent between the first and the last, and the names of some of them."""
    numbers = list(slices)
    names: list[str] = []
    for a, b in pairwise(numbers):
        for number in range(a + 1, min(b, a + 1 + most - len(names))):
            names.append(_renumbered(slices[a], a, number))
    return numbers[-1] - numbers[0] + 1 - len(numbers), names


def _place(names: Sequence[str]) -> int:
    """Which of the numbers in the names of a folder counts the slices."""
    all_groups = [_groups(name) for name in names]
    if len({len(groups) for groups in all_groups}) == 1:
        columns = list(zip(*all_groups, strict=True))
        varying = [i for i, column in enumerate(columns) if len(set(column)) > 1]
        if len(varying) == 1:
            return varying[0]
    return -1


def _renumbered(name: str, number: int, other: int) -> str:
    """The name of a file that counts ``other`` where this one counts ``number``."""
    path = _path(name)
    spans = [m for m in re.finditer(r"[0-9]+", path.stem) if int(m.group()) == number]
    start, stop = spans[-1].span()
    digits = str(other).zfill(stop - start)
    return path.with_name(f"{path.stem[:start]}{digits}{path.stem[stop:]}{path.suffix}").as_posix()


def _groups(name: str) -> list[str]:
    return re.findall(r"[0-9]+", _path(name).stem)


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))
