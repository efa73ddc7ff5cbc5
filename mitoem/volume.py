"""Open a volume by its address and read boxes of voxels from any level.

Addresses are URLs (``file://``, ``http(s)://``, ``s3://``); a plain path is a file URL. Decoded
chunks share one cache, bounded in bytes by ``MITOEM_CACHE_BYTES`` (256 MB).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from mitoem import manifest, stores
from mitoem.errors import ChunkCorrupt, LevelInvalid, MitoEMError, VolumeInvalid, VolumeNotFound
from mitoem.geometry import Box, Index
from mitoem.manifest import VolumeInfo

IMAGE = "image"
"""The layer that holds the electron micrograph; every other layer is a labels name."""


def to_url(path_or_url: str | Path) -> str:
    """A URL ending in ``/`` for a directory, given a path or a URL."""
    text = str(path_or_url)
    url = text if "://" in text else Path(text).resolve().as_uri()
    return url.rstrip("/") + "/"


def array_path(layer: str, level: int) -> str:
    """Where a level of a layer lies inside a volume."""
    return f"image.zarr/{level}/" if layer == IMAGE else f"image.zarr/labels/{layer}/{level}/"


class Volume:
    """A complete volume: its metadata and its voxels. Cheap to keep, safe to share by threads."""

    def __init__(self, url: str, info: VolumeInfo, *, digest: str) -> None:
        self.url = url
        self.info = info
        self.digest = digest
        self._stores: dict[tuple[str, int], ts.TensorStore] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to another process as its address, and is opened there."""
        return open_at, (self.url,)

    def __repr__(self) -> str:
        return f"Volume({self.info.name!r}, {self.info.shape}, {self.url!r})"

    @property
    def name(self) -> str:
        """The volume's name."""
        return self.info.name

    @property
    def path(self) -> Path | None:
        """The volume's directory, or None when it lies on a remote store."""
        return path_of(self.url)

    def level_shape(self, level: int) -> Index:
        """Shape (z, y, x) of a level; raises LevelInvalid, naming how many there are."""
        if not 0 <= level < len(self.info.levels):
            raise LevelInvalid(
                f"level {level} of {self.name!r}: it has levels 0 to {len(self.info.levels) - 1}"
            )
        return self.info.levels[level].shape

    def store(self, layer: str, level: int) -> ts.TensorStore:
        """The TensorStore of a level of ``image`` or of a label set, opened once."""
        key = (layer, level)
        if key not in self._stores:
            self.level_shape(level)
            if layer != IMAGE:
                self.info.label_set(layer)
            self._stores[key] = open_array(self.url + array_path(layer, level))
        return self._stores[key]

    def version(self, layer: str) -> str:
        """What changes when the voxels of a layer change."""
        return self.info.version if layer == IMAGE else self.info.label_set(layer).version

    def read(
        self, box: Box | None = None, *, level: int = 0, layer: str = IMAGE
    ) -> npt.NDArray[Any]:
        """Voxels of a box (z, y, x) in indices of that level; the whole level without a box.

        The image comes back as uint8, labels as uint32 with 0 where nobody labelled. Raises
        LevelInvalid, LabelsNotFound, BoxOutside, ChunkCorrupt for a damaged or missing chunk, and
        StoreUnreachable.
        """
        out, parts = self._parts(box, level, layer)
        reads = [(where, part.read()) for where, part in parts]
        for where, future in reads:
            try:
                out[where] = stores.wait(future, self.url, voxels=out.size)
            except (ValueError, OSError) as error:
                raise self._fault(layer, level, error) from error
        if reads:
            stores.answered(self.url)
        return out

    async def aread(self, box: Box, *, level: int = 0, layer: str = IMAGE) -> npt.NDArray[Any]:
        """``read``, for use in an event loop: waits for TensorStore without holding a thread."""
        await self._aopen(layer, level)
        out, parts = self._parts(box, level, layer)
        reads = [(where, part.read()) for where, part in parts]
        limit = stores.patience(out.size) if self.path is None else None
        for where, future in reads:
            try:
                out[where] = await asyncio.wait_for(_awaited(future), limit)
            except (ValueError, OSError) as error:
                raise self._fault(layer, level, error) from error
        if reads:
            stores.answered(self.url)
        return out

    async def _aopen(self, layer: str, level: int) -> None:
        """Open a remote array without holding a thread: its store may take its time."""
        if self.path is not None or (layer, level) in self._stores:
            return
        self.level_shape(level)
        if layer != IMAGE:
            self.info.label_set(layer)
        url = self.url + array_path(layer, level)
        stores.admit(url)
        try:
            opening = ts.open(_spec(url), context=stores.context(url))
            opened = await asyncio.wait_for(_awaited(opening), stores.patience())
        except (ValueError, OSError) as error:
            raise _unopened(url, error) from error
        stores.answered(url)
        self._stores[layer, level] = opened

    def coverage(self, layer: str, level: int) -> tuple[Box, ...]:
        """Boxes of a level in which the layer has voxels; for the image, the whole level."""
        shape = self.level_shape(level)
        if layer == IMAGE:
            return (Box.whole(shape),)
        factors = self.info.levels[level].factors
        return tuple(coarse(box, factors) for box in self.info.label_set(layer).coverage)

    def _parts(
        self, box: Box | None, level: int, layer: str
    ) -> tuple[npt.NDArray[Any], list[tuple[tuple[slice, ...], ts.TensorStore]]]:
        """An array of zeros, and which part of it is read from where."""
        shape = self.level_shape(level)
        box = Box.whole(shape) if box is None else box.inside(shape)
        store = self.store(layer, level)
        stores.admit(self.url)
        out = np.zeros(box.shape, np.uint8 if layer == IMAGE else np.uint32)
        back = (-box.start[0], -box.start[1], -box.start[2])
        parts = []
        for covered in self.coverage(layer, level):
            common = covered.intersect(box)
            if common is not None:
                start = [a + b for a, b in zip(common.start, back, strict=True)]
                where = tuple(slice(a, a + n) for a, n in zip(start, common.shape, strict=True))
                parts.append((where, store[common.slices]))
        return out, parts

    def _fault(self, layer: str, level: int, error: Exception) -> MitoEMError:
        reason = stores.first_line(error).replace(self.url.removeprefix("file://"), "")
        corrupt = ChunkCorrupt(f"{self.name!r} {layer} level {level}: {reason}")
        return stores.unreachable(self.url, error) or corrupt


def coarse(box: Box, factors: Index) -> Box:
    """The box of a level (``factors`` larger voxels) that covers a level-0 box."""
    z0, y0, x0 = (a // f for a, f in zip(box.start, factors, strict=True))
    z1, y1, x1 = (-(-b // f) for b, f in zip(box.stop, factors, strict=True))
    return Box((z0, y0, x0), (z1, y1, x1))


def open_array(url: str, *, overrides: dict[str, Any] | None = None) -> ts.TensorStore:
    """Open an existing Zarr v3 array for reading; a missing chunk is an error, not zeros."""
    stores.admit(url)
    try:
        opening = ts.open(_spec(url) | (overrides or {}), context=stores.context(url))
        opened: ts.TensorStore = stores.wait(opening, url)
    except (ValueError, OSError) as error:
        raise _unopened(url, error) from error
    stores.answered(url)
    return opened


def _spec(url: str) -> dict[str, Any]:
    return {
        "driver": "zarr3",
        "kvstore": stores.spec(url),
        "fill_missing_data_reads": False,
        "recheck_cached_data": "open",
    }


def _unopened(url: str, error: Exception) -> MitoEMError:
    fault = ChunkCorrupt(f"{url}: {stores.first_line(error)}")
    return stores.unreachable(url, error) or fault


async def _awaited(future: Any) -> Any:
    """A TensorStore future as something that asyncio can put a limit on."""
    return await future


def open_at(path_or_url: str | Path) -> Volume:
    """Open the volume in a directory, by path or URL.

    Raises VolumeNotFound where there is no ``volume.json``, VolumeInvalid where it does not parse,
    StoreUnreachable for a remote store that does not answer.
    """
    url = to_url(path_or_url)
    path = path_of(url)
    if path is not None and (path / manifest.NEXT).is_file():
        from mitoem.ingestion import shelf

        shelf.settle(path)
    data = stores.read_held(url + manifest.FILE)
    if data is None:
        raise VolumeNotFound(f"no complete volume at {path_or_url} (no {manifest.FILE})")
    digest = hashlib.sha256(data).hexdigest()
    return _opened(url, digest, data)


@cache
def _handles() -> dict[str, Volume]:
    return {}


def _opened(url: str, digest: str, data: bytes) -> Volume:
    """One handle per volume and content of ``volume.json``, so that caches stay warm."""
    known = _handles().get(url)
    if known is not None and known.digest == digest:
        return known
    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise VolumeInvalid(f"{url}{manifest.FILE}: {error}") from error
    volume = Volume(url, manifest.from_json(parsed, where=url + manifest.FILE), digest=digest)
    _handles()[url] = volume
    return volume


def path_of(url: str) -> Path | None:
    """The local path of a file URL, or None for any other."""
    if not url.startswith("file://"):
        return None
    return Path(url2pathname(url.removeprefix("file://")))
