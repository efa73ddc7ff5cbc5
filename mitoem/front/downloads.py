"""Instance tables as people download them: CSV or Parquet, with what says where they come from."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import pandas as pd

from mitoem import catalog, tables
from mitoem.front.instances import table
from mitoem.front.shelves import Data, Progress, resolved
from mitoem.version import versions
from mitoem.volume import Volume

Kind: TypeAlias = Literal["csv", "parquet"]

_WRITERS: Final[Mapping[Kind, Callable[[pd.DataFrame], bytes]]] = {
    "csv": tables.to_csv,
    "parquet": tables.to_parquet,
}


@dataclass(frozen=True, slots=True)
class Download:
    """A table as it is downloaded: its bytes, its JSON sidecar, rows in it and in the whole."""

    content: bytes
    sidecar: bytes
    rows: int
    total: int


def download(
    volume: str | Volume,
    labels: str = "truth",
    *,
    kind: Kind = "csv",
    filter: str = "",  # noqa: A002 -- the word of the command line and of the URL
    columns: Sequence[str] | None = None,
    permalink: str = "",
    data: Data = None,
    progress: Progress | None = None,
) -> Download:
    """The rows of an instance table that a filter keeps, as CSV or Parquet, and their sidecar.

    The page, the command line and this function give the same bytes; the sidecars differ in date
    and permalink. Raises FilterInvalid.
    """
    target = resolved(volume, data=data)
    whole = table(target, labels, data=data, progress=progress)
    frame = table(target, labels, filter=filter, columns=columns, data=data)
    content = _WRITERS[kind](frame)
    chosen = f" --columns {','.join(columns)}" if columns else ""
    asked = f" --filter={shlex.quote(filter)}" if filter else ""
    made = catalog.from_environment(data).provenance(target, labels) or {}
    note = tables.sidecar(
        content,
        kind=kind,
        dataset=target.name,
        labels=labels,
        labels_version=target.info.label_set(labels).version,
        synthetic=target.info.synthetic,
        sources=[asdict(source) for source in target.info.sources],
        voxel_size_nm=target.info.voxel_size,
        filter=filter,
        rows=len(frame),
        rows_of_the_whole_table=len(whole),
        measured_with=made.get("measured_with"),
        versions=versions(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        permalink=permalink,
        command=f"python -m mitoem table {target.name}/{labels}{asked}{chosen} --out FILE.{kind}",
    )
    return Download(content, note, len(frame), len(whole))
