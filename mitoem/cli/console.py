"""What a person sees while a command works: a progress bar and notices, on standard error."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from tqdm import tqdm

from mitoem.errors import BoxInvalid
from mitoem.geometry import Box, Index, VoxelSize

LOG_SECONDS = 10
"""Time between two lines of progress where nobody watches a bar."""


class Console:
    """Notices line by line, and one bar per stage with its rate and the time left."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._stage = ""
        self._expected: dict[str, int] = {}
        self._began = self._told = 0.0
        self._whole = False

    def say(self, line: str) -> None:
        """One line for a person."""
        if not self._quiet:
            tqdm.write(line, file=sys.stderr)

    def expect(self, voxels: int, stage: str = "") -> None:
        """How many voxels a stage is, or all that are not named, so that Mvoxel/s are shown."""
        self._expected[stage] = voxels

    def progress(self, fraction: float, stage: str) -> None:
        """Move the bar of a stage to this share of its whole; a new stage starts a new bar."""
        if self._quiet:
            return
        name = stage.split(" ", 1)[0]
        if not sys.stderr.isatty():
            self._tell(name, fraction)
            return
        if self._bar is None or name != self._stage:
            self.close()
            self._stage, self._bar = name, self._new_bar(name)
        bar = self._bar
        bar.update((bar.total or 0.0) * fraction - bar.n)

    def _tell(self, name: str, fraction: float) -> None:
        """The same in lines, now and then, for a log."""
        now = time.monotonic()
        if name != self._stage:
            self._stage, self._began, self._told, self._whole = name, now, now, False
        if self._whole or (fraction < 1 and now - self._told < LOG_SECONDS):
            return
        self._told, self._whole = now, fraction >= 1
        seconds, voxels = max(now - self._began, 1e-3), self._voxels(name)
        rate = f", {voxels * fraction / 1e6 / seconds:.0f} Mvoxel/s" if voxels else ""
        left = f", {seconds * (1 - fraction) / fraction:.0f} s left" if 0 < fraction < 1 else ""
        print(f"{name} {100 * fraction:.0f} %{rate}{left}", file=sys.stderr)

    def _voxels(self, name: str) -> int:
        return self._expected.get(name, self._expected.get("", 0))

    def _new_bar(self, name: str) -> tqdm[Any]:
        voxels = self._voxels(name)
        return tqdm(
            total=voxels / 1e6 if voxels else 100.0,
            desc=name,
            unit=" Mvoxel" if voxels else " %",
            file=sys.stderr,
            leave=False,
            bar_format="{desc} {percentage:3.0f}% |{bar}| {rate_fmt}, {remaining} left",
        )

    def close(self) -> None:
        """Clear the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def box(text: str) -> Box:
    """``z0:z1,y0:y1,x0:x1`` as an argument."""
    try:
        return Box.parse(text)
    except BoxInvalid as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def index(text: str) -> Index:
    """``Z,Y,X`` whole numbers as an argument."""
    try:
        z, y, x = (int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not Z,Y,X in whole numbers") from error
    return z, y, x


def voxel_size(text: str) -> VoxelSize:
    """``Z,Y,X`` in nm as an argument."""
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not Z,Y,X in nm") from error
    if not all(0 < edge < float("inf") for edge in (z, y, x)):
        raise argparse.ArgumentTypeError(f"{text!r}: every edge must be above 0 nm")
    return z, y, x
