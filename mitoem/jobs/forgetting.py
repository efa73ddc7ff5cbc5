"""What a run that takes in a file has written when it is refused, stopped or dead: taken away."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mitoem import catalog
from mitoem.errors import MitoEMError
from mitoem.jobs.uploads import kept


def provenance(path: Path) -> str:
    """What a label set says of the upload that it was made from."""
    from mitoem.ingestion.digest import sha256_of

    return f"uploaded file {path.name} (sha256 {sha256_of(path)})"


def volume(root: Path, request: Mapping[str, Any]) -> None:
    """Delete the draft of a volume that was being made from the file of an ``ingest``."""
    from mitoem.ingestion import shelf

    at = catalog.from_environment(request.get("data") or root).writable
    with suppress(MitoEMError):  # the file is gone, or another process makes one of that name
        if _made_from(at / f"{shelf.PARTIAL}{request['name']}", kept(root, request["file"])):
            shelf.forget(at, request["name"])


def labels(root: Path, request: Mapping[str, Any], *, measured: bool = False) -> None:
    """Delete what a ``labels`` run has made of its file; of a set with its table only if asked."""
    from mitoem.ingestion import shelf

    roots, name = catalog.from_environment(request.get("data") or root), request["name"]
    with suppress(MitoEMError):  # the file or the volume is gone, or is being changed
        path, volume = kept(root, request["file"]), roots.open(request["volume"])
        if _made_from(shelf.local(volume) / shelf.LABELS / f"{shelf.PARTIAL}{name}", path):
            shelf.forget_labels(volume, name)
        ours = volume.info.label_set(name).provenance == provenance(path)
        if ours and (measured or roots.provenance(volume, name) is None):
            shelf.remove_labels(volume, name)


def _made_from(draft: Path, path: Path) -> bool:
    """Whether a draft is of that file; one without a plan cannot be gone on with by anybody."""
    from mitoem.ingestion.assemble import PLAN
    from mitoem.ingestion.digest import sha256_of

    try:
        return draft.is_dir() and sha256_of(path) in (draft / PLAN).read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
