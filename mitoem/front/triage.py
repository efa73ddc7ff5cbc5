"""What a person judged of the errors of a prediction, kept on disk and given as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from filelock import FileLock

from mitoem import catalog
from mitoem.errors import RequestInvalid, VolumeInvalid
from mitoem.front import pairs
from mitoem.front.mistakes import name_of
from mitoem.front.pairs import Labels
from mitoem.front.shelves import Data, resolved
from mitoem.ingestion.disk import disk_error, write_json
from mitoem.manifest import SEAL, check_seal, sealed
from mitoem.volume import Volume

if TYPE_CHECKING:
    from mitoem.scores import Scores

VERDICTS: Final = ("model wrong", "label wrong", "unsure")

COLUMNS: Final = (
    "volume", "truth", "prediction", "error", "kind", "truth_id", "prediction_ids", "partner_id",
    "voxels", "iou", "lost_voxels", "z", "y", "x", "verdict", "judged",
)  # fmt: skip
"""Of the table of errors; ids of several predictions are parted by spaces, times are in UTC."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one error of two label sets in these versions, and when it was given."""

    verdict: str
    when: str
    versions: tuple[str, str]


def judge(
    volume: str | Volume,
    truth: str,
    prediction: str,
    error: str,
    verdict: str | None,
    *,
    data: Data = None,
) -> None:
    """Keep a verdict on an error, called as by ``name_of``; None takes it back.

    Raises RequestInvalid for a verdict that is none of ``VERDICTS``, VolumeInvalid for a file of
    verdicts that does not read, DiskFull, DiskReadOnly.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise RequestInvalid(f"verdict must be one of {', '.join(VERDICTS)}, found {verdict!r}")
    target = resolved(volume, data=data)
    path = _file(target, truth, prediction, data)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".lock").touch()
    except OSError as found:
        raise disk_error(found) from found
    with FileLock(path.with_suffix(".lock")):
        kept = read(path)
        kept.pop(error, None)
        if verdict is not None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            kept[error] = asdict(Judgement(verdict, now, _versions(target, truth, prediction)))
        write_json(path, sealed({"verdicts": kept}))


def judgements(
    volume: str | Volume, truth: str, prediction: str, *, data: Data = None
) -> dict[str, Judgement]:
    """Verdicts on the errors of two label sets, by the name of the error.

    Those of other versions of the labels stay on disk, and are not given: their errors may be
    other ones. Raises LabelsNotFound.
    """
    target = resolved(volume, data=data)
    now = _versions(target, truth, prediction)
    found = {
        name: Judgement(one["verdict"], one["when"], tuple(one["versions"]))
        for name, one in read(_file(target, truth, prediction, data)).items()
    }
    return {name: one for name, one in found.items() if one.versions == now}


def error_table(
    errors: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Judgement],
    *,
    volume: str,
    truth: str,
    prediction: str,
) -> pd.DataFrame:
    """One row per error, as ``Scores.to_json`` lists them, with the verdict on it if any."""
    rows = []
    for one in errors:
        name = name_of(one)
        verdict = judged.get(name)
        rows.append(
            (
                volume, truth, prediction, name, one["kind"], one["truth"],
                " ".join(map(str, one["predictions"])), one["partner"], one["voxels"], one["iou"],
                one["lost"], *one["point"], verdict.verdict if verdict else "",
                verdict.when if verdict else "",
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def errors_of(
    scores: Scores, truth: Labels, prediction: Labels, *, data: Data = None
) -> pd.DataFrame:
    """The table of errors of a scoring; with verdicts where both are labels of one volume.

    ``truth`` and ``prediction`` as they were given to ``evaluate``; files are named by their path.
    """
    errors = scores.to_json()["errors"]
    a, b = pairs.named(truth), pairs.named(prediction)
    if a is None or b is None or a[0] != b[0]:
        return error_table(errors, {}, volume="", truth=str(truth), prediction=str(prediction))
    judged = judgements(a[0], a[1], b[1], data=data)
    return error_table(errors, judged, volume=a[0], truth=a[1], prediction=b[1])


def read(path: Path) -> dict[str, Any]:
    """Verdicts by the name of the error; raises VolumeInvalid for a file that does not say them."""
    if not path.exists():
        return {}
    where = f"triage/{path.parent.name}/{path.name}"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        check_seal(data, where=where)
        kept: dict[str, Any] = data["verdicts"] if SEAL in data else data
        for one in kept.values():
            Judgement(str(one["verdict"]), str(one["when"]), tuple(one["versions"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, VolumeInvalid):
            raise
        raise VolumeInvalid(f"{where}: {type(error).__name__} {error}") from error
    return kept


def _versions(volume: Volume, truth: str, prediction: str) -> tuple[str, str]:
    return volume.version(truth), volume.version(prediction)


def _file(volume: Volume, truth: str, prediction: str, data: Data) -> Path:
    folder = catalog.from_environment(data).tables(volume).with_name("triage")
    return folder / truth / f"{prediction}.json"
