"""Which volumes exist: the data roots, the volumes in them, and who may see each.

A root is a directory or a URL; ``MITOEM_DATA`` names one or several (separated by ``:``, by ``;``
on Windows). The first is writable and takes the tables, runs and caches of read-only ones. A
remote root lists its volumes in ``index.json``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mitoem.errors import VolumeInvalid, VolumeNotFound
from mitoem.manifest import FILE, check_name
from mitoem.volume import Volume, open_at, path_of, read_bytes, to_url

DEFAULT_ROOT = "data"

_ROOT = re.compile(r"\w+://[^/:]*(?::\d+)?[^:]*|[^:]+" if os.pathsep == ":" else r"[^;]+")
"""One root of a list: a URL, with its port if it has one, or a path."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Data roots as URLs, the writable one first."""

    roots: tuple[str, ...]

    @property
    def writable(self) -> Path:
        """The directory that takes new volumes, tables, runs and caches."""
        path = path_of(self.roots[0])
        if path is None:
            raise VolumeInvalid(f"the first data root must be a directory, found {self.roots[0]}")
        return path

    def names(self) -> list[str]:
        """Names of the complete volumes in all roots, sorted; the first root wins a tie."""
        return sorted({name for root in self.roots for name in _names(root)})

    def open(self, name: str) -> Volume:
        """The volume of that name; raises NameInvalid, or VolumeNotFound listing what exists."""
        check_name(name)
        for root in self.roots:
            if _has(root, name):
                return open_at(f"{root}{name}/")
        known = ", ".join(self.names()) or "none"
        raise VolumeNotFound(f"no volume {name!r} in the data roots; there are: {known}")

    def tables(self, volume: Volume) -> Path:
        """Directory of the volume's instance tables: beside it, or in the first root."""
        path = volume.path
        if path is not None and os.access(path, os.W_OK):
            return path / "tables"
        return self.writable / ".derived" / volume.name / "tables"


def from_environment(data: str | Path | None = None) -> Catalog:
    """The catalog of ``data``, else of ``MITOEM_DATA``, else of ``data/``."""
    text = str(data) if data is not None else os.environ.get("MITOEM_DATA") or DEFAULT_ROOT
    return Catalog(tuple(to_url(root) for root in _ROOT.findall(text)))


def may_see(volume: str, user: str | None) -> bool:
    """Whether a person (None: not signed in) may see a volume; today everyone may see all."""
    del volume, user
    return True


def _names(root: str) -> list[str]:
    path = path_of(root)
    if path is None:
        return _listed(root, read_bytes(root + "index.json"))
    if not path.is_dir():
        return []
    return [
        child.name for child in path.iterdir() if _is_name(child.name) and _has(root, child.name)
    ]


def _listed(root: str, data: bytes | None) -> list[str]:
    """Names in a remote root's ``index.json``: ``{"volumes": [name, …]}``."""
    if data is None:
        return []
    try:
        return [check_name(str(name)) for name in json.loads(data)["volumes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise VolumeInvalid(f"{root}index.json: {type(error).__name__} {error}") from error


def _has(root: str, name: str) -> bool:
    path = path_of(root)
    if path is None:
        return read_bytes(f"{root}{name}/{FILE}") is not None
    return (path / name / FILE).is_file()


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except ValueError:
        return False
    return True
