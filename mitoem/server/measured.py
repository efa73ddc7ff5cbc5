"""What was measured: the instance table, and from it where each instance lies."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from mitoem.catalog import Catalog
from mitoem.errors import InstanceNotFound, MitoEMError, VolumeInvalid
from mitoem.geometry import Box
from mitoem.volume import Volume

KEPT = 8
"""Label sets whose boxes are held: seven numbers an instance, so 56 bytes."""

_CORNERS = [f"bbox_{axis}{end}" for end in (0, 1) for axis in "zyx"]


class Boxes:
    """Level-0 bounding boxes of instances, read once per version of a label set."""

    def __init__(self, roots: Catalog) -> None:
        self.catalog = roots
        self._kept: OrderedDict[tuple[str, str, str], npt.NDArray[np.int64]] = OrderedDict()

    async def box(self, volume: Volume, labels: str, instance_id: int) -> Box:
        """Box of an instance; raises LabelsNotFound, TableMissing, InstanceNotFound."""
        key = (volume.url, labels, volume.info.label_set(labels).version)
        if key not in self._kept:
            self._kept[key] = await asyncio.to_thread(self._read, volume, labels)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        rows = self._kept[key]
        at = int(np.searchsorted(rows[:, 0], instance_id))
        if at == len(rows) or rows[at, 0] != instance_id:
            raise InstanceNotFound(
                f"no instance {instance_id} in {labels!r} of {volume.name!r}, which has {len(rows)}"
            )
        z0, y0, x0, z1, y1, x1 = (int(n) for n in rows[at, 1:])
        return Box((z0, y0, x0), (z1, y1, x1))

    def _read(self, volume: Volume, labels: str) -> npt.NDArray[np.int64]:
        """Rows of id and box corners, by rising id."""
        frame = stored(self.catalog, volume, labels)
        rows = frame[["instance_id", *_CORNERS]].to_numpy(np.int64)
        return rows[np.argsort(rows[:, 0])]


def stored(roots: Catalog, volume: Volume, labels: str) -> pd.DataFrame:
    """The table of a label set.

    Raises LabelsNotFound, TableMissing, and VolumeInvalid for files that are there and do not read.
    """
    try:
        return roots.table(volume, labels)
    except MitoEMError:
        raise
    except (ValueError, OSError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise VolumeInvalid(
            f"the table of {labels!r} of {volume.name!r} does not read, measure it again: {reason}"
        ) from error
