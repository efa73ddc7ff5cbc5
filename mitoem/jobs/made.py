"""What a finished run made, written and read back: damage is told and never taken for a result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mitoem.errors import MitoEMError, RunFailed
from mitoem.manifest import SEAL, check_seal, sealed

if TYPE_CHECKING:
    import pandas as pd

SCORES = "scores.json"


def keep_scores(folder: Path, found: Mapping[str, Any]) -> None:
    """Write the scores of a run, with their checksum."""
    (folder / SCORES).write_text(json.dumps(sealed(found)), encoding="utf-8")


def scores(folder: Path) -> dict[str, Any] | None:
    """The scores in the directory of a run, None where there was no truth; raises RunFailed."""
    path = folder / SCORES
    if not path.exists():
        return None
    with _reading(path):
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check_seal(data, where=SCORES)
        return {key: value for key, value in data.items() if key != SEAL}


def table(folder: Path) -> pd.DataFrame:
    """The instances that a run found; raises RunFailed."""
    import pandas as pd

    with _reading(folder / "table.parquet"):
        return pd.read_parquet(folder / "table.parquet")


def labels(folder: Path) -> npt.NDArray[np.uint32]:
    """The labels that a run found; raises RunFailed."""
    with _reading(folder / "labels.npy"):
        found: npt.NDArray[np.uint32] = np.load(folder / "labels.npy")
        return found


def result(folder: Path) -> dict[str, Any]:
    """What a finished run says of its result; raises RunFailed."""
    with _reading(folder / "result.json"):
        said: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return said


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if isinstance(error, MitoEMError) else type(error).__name__
        raise RunFailed(
            f"{path.name} of run {path.parent.name} does not read, make it again: {reason}"
        ) from error
