"""What lies beside the voxels and is not measured: verdicts, and the root's list of volumes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mitoem import catalog
from mitoem.checking.finding import Finding
from mitoem.errors import MitoEMError
from mitoem.front import triage
from mitoem.volume import Volume, to_url


def check(volume: Volume, data: str | Path | None) -> Iterator[Finding]:
    """Every file of verdicts that does not read, whatever labels it is of."""
    folder = catalog.from_environment(data).tables(volume).with_name("triage")
    for path in sorted(folder.glob("*/*.json")):
        try:
            triage.read(path)
        except MitoEMError as error:
            where = path.relative_to(folder.parent).as_posix()
            yield Finding("error", f"{volume.name}/{where}", str(error))


def check_index(volume: Volume, path: Path) -> Iterator[Finding]:
    """The list of volumes beside the volume, where there is one: others read it from afar."""
    if not (path.parent / catalog.INDEX).exists():
        return
    try:
        listed = catalog.indexed(to_url(path.parent))
    except MitoEMError as error:
        yield Finding("error", catalog.INDEX, str(error))
        return
    if volume.name not in listed:
        yield Finding("notice", catalog.INDEX, f"{volume.name} is not in it: `mitoem index`")
