"""Which volumes exist: the data roots, the volumes in them, and who may see each.

A root is a directory or a URL; ``MITOEM_DATA`` names one or several (separated by ``:``, by ``;``
on Windows). The first is writable and takes the tables, runs and caches of read-only ones. A
remote root lists its volumes in ``index.json``, which every change of a local root writes anew.
A root that cannot be read hides no volume of the others: ``faults`` says what is wrong with it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from mitoem import access, tables
from mitoem.access import Rules
from mitoem.errors import (
    AccessInvalid,
    MitoEMError,
    StoreUnreachable,
    TableMissing,
    VolumeInvalid,
    VolumeNotFound,
)
from mitoem.manifest import FILE, check_name
from mitoem.stores import read_held
from mitoem.volume import Volume, open_at, path_of, to_url

DEFAULT_ROOT = "data"

INDEX = "index.json"
"""In a root: ``{"volumes": [name, …]}``, for those who read it from afar."""

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
        """Names of the complete volumes in all roots that can be read, sorted."""
        return sorted({name for names, _ in map(_listed, self.roots) for name in names})

    def listed(self, user: str | None) -> list[str]:
        """The names of ``names`` that a person (None: a stranger) is told of."""
        try:
            rules = self.rules()
        except AccessInvalid:
            return []
        return [name for name in self.names() if rules.of(name).lists(user)]

    def may_see(self, volume: str, user: str | None) -> bool:
        """Whether a person (None: a stranger) who knows a volume's name may see it."""
        try:
            return self.rules().of(volume).opens(user)
        except AccessInvalid:
            return False

    def rules(self) -> Rules:
        """Who may see what; raises AccessInvalid."""
        path = path_of(self.roots[0])
        return access.read(path) if path else Rules()

    def faults(self) -> list[MitoEMError]:
        """One error for each root whose volumes cannot be listed, and for unreadable rules."""
        found = [fault for _, fault in map(_listed, self.roots) if fault is not None]
        try:
            self.rules()
        except AccessInvalid as error:
            found.append(error)
        return found

    def open(self, name: str) -> Volume:
        """The volume of that name, of the first root that has it.

        Raises NameInvalid, VolumeNotFound, whose note lists what exists, and StoreUnreachable when
        the name is in no root that answers and another does not answer.
        """
        check_name(name)
        silent: StoreUnreachable | None = None
        for root in self.roots:
            try:
                return open_at(f"{root}{name}/")
            except VolumeNotFound:
                continue
            except StoreUnreachable as error:
                silent = silent or error
        if silent is not None:
            raise silent
        lost = [path for root in self.roots if (path := path_of(root)) and (path / name).is_dir()]
        part = f" ({lost[0] / name / FILE} is missing)" if lost else ""
        missing = VolumeNotFound(f"no volume {name!r} in the data roots{part}")
        # A note, which Python and the command line print, and no page or route does.
        missing.add_note(f"there are: {', '.join(self.names()) or 'none'}")
        raise missing

    def open_for(self, name: str, user: str | None) -> Volume:
        """``open`` for a person: nothing tells a hidden volume from one that does not exist.

        Neither words nor time: in the place of a hidden one, one that nobody has is looked for.
        """
        check_name(name)
        nobodys = secrets.token_hex(16)
        looked_for = name if self.may_see(name, user) else nobodys
        try:
            return self.open(looked_for)
        except VolumeNotFound:
            raise VolumeNotFound(f"no volume {name!r}") from None
        except StoreUnreachable as error:
            raise StoreUnreachable(str(error).replace(nobodys, name)) from None

    def public(self, message: str) -> str:
        """A message without the directories and addresses of the roots, for people elsewhere."""
        for root in self.roots:
            message = message.replace(root, "").replace(root.removeprefix("file://"), "")
        return message

    def tables(self, volume: Volume) -> Path:
        """Directory that takes the volume's instance tables: beside it, or in the first root."""
        path = volume.path
        if path is not None and os.access(path, os.W_OK):
            return path / "tables"
        return self.writable / ".derived" / volume.name / "tables"

    def table(self, volume: Volume, labels: str) -> pd.DataFrame:
        """The instance table of a label set: the one measured here, or the one beside the volume.

        Raises LabelsNotFound, TableMissing when none is of what they are now, VolumeInvalid for a
        damaged one, StoreUnreachable.
        """
        wanted = volume.info.measured_from(labels)
        missing: TableMissing | None = None
        for place in self._places(volume):
            try:
                return tables.read(place, labels, measured_from=wanted)
            except TableMissing as error:
                missing = missing or error
        raise missing or TableMissing(f"labels {labels!r} are not measured yet")

    def provenance(self, volume: Volume, labels: str) -> dict[str, Any] | None:
        """What is written beside the table of a label set, current or not; None for no table."""
        for place in self._places(volume):
            note = tables.provenance(place, labels)
            if note is not None:
                return note
        return None

    def _places(self, volume: Volume) -> Iterator[Path | str]:
        """Where a table of the volume may lie."""
        beside = f"{volume.url}tables/" if volume.path is None else volume.path / "tables"
        if path_of(self.roots[0]) is not None and self.tables(volume) != beside:
            yield self.tables(volume)
        yield beside


def from_environment(data: str | Path | None = None) -> Catalog:
    """The catalog of ``data``, else of ``MITOEM_DATA``, else of ``data/``."""
    text = str(data) if data is not None else os.environ.get("MITOEM_DATA") or DEFAULT_ROOT
    return Catalog(tuple(to_url(root) for root in _ROOT.findall(text)))


def may_see(volume: str, user: str | None, *, roots: Catalog | None = None) -> bool:
    """Whether a person (None: not signed in) may see a volume, by the rules of ``access.json``."""
    return (roots or from_environment()).may_see(volume, user)


def write_index(root: Path) -> list[str]:
    """List the public volumes of a directory in its ``index.json``; returns their names.

    Ingest, ``remove`` and ``demo`` call it; a person does after moving volumes by hand.
    """
    # One at a time: who writes last has then listed last.
    (root / ".locks").mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".locks" / ".index.lock"):
        names = Catalog((to_url(root),)).listed(None)
        partial = root / f".{INDEX}.partial"
        partial.write_text(json.dumps({"volumes": names}) + "\n", encoding="utf-8")
        partial.replace(root / INDEX)
    return names


def _listed(root: str) -> tuple[list[str], MitoEMError | None]:
    """Names of the volumes in a root, or the error that keeps them from being listed."""
    path = path_of(root)
    try:
        return (indexed(root) if path is None else _names(path)), None
    except MitoEMError as error:
        return [], error
    except OSError as error:
        return [], VolumeInvalid(f"{path}: {error.strerror or error}")


def _names(path: Path) -> list[str]:
    """Names of the complete volumes in a directory."""
    if not path.is_dir():
        return []
    return [
        child.name for child in path.iterdir() if _is_name(child.name) and (child / FILE).is_file()
    ]


def indexed(root: str) -> list[str]:
    """Names in the ``index.json`` of a root, a URL; raises StoreUnreachable, VolumeInvalid."""
    data = read_held(root + INDEX)
    if data is None:
        raise VolumeInvalid(f"{root}: no {INDEX} there, which `python -m mitoem index` writes")
    try:
        return [check_name(str(name)) for name in json.loads(data)["volumes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise VolumeInvalid(f"{root}{INDEX}: {type(error).__name__} {error}") from error


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except ValueError:
        return False
    return True
