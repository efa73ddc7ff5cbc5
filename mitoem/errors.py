"""Every error that this project raises, as one tree.

MitoEMError
├── NameInvalid            (ValueError)         a volume or labels name outside the allowed letters
├── VolumeNotFound         (FileNotFoundError)  no complete volume of that name in any root
├── VolumeExists           (FileExistsError)    ingest or rename onto a name that is taken
├── VolumeInvalid          (ValueError)         volume.json or the OME metadata does not parse
├── AccessInvalid          (ValueError)         rules of who may see what that cannot be followed
├── LabelsNotFound         (LookupError)        the volume has no label set of that name
├── InstanceNotFound       (LookupError)        no instance with that id in the label set
├── TableMissing           (FileNotFoundError)  labels that were never measured
├── BoxInvalid             (ValueError)         box text or numbers that are no box
├── BoxOutside             (IndexError)         box or index outside the volume
├── LevelInvalid           (IndexError)         pyramid level that the volume lacks
├── ChunkCorrupt           (OSError)            a chunk missing, or failing its checksum
├── StoreUnreachable       (ConnectionError)    a remote data root that does not answer, or refuses
├── SourceNotFound         (FileNotFoundError)  input path that does not exist
├── SourceUnreadable       (OSError)            truncated, empty, or not the format it claims
├── SourceUnsupported      (ValueError)         a format, dtype or axis order that is not read
├── ShapeMismatch          (ValueError)         two arrays that should agree in shape
├── LabelsInvalid          (ValueError)         labels that are floats, negative, or beyond uint32
├── VoxelSizeMissing       (ValueError)         no voxel size in a source, or an absurd one
├── DiskFull               (OSError)            not enough free space, before or during a write
├── DiskReadOnly           (PermissionError)    a disk or a folder that takes no writing
├── MemoryShort            (MemoryError)        work that needs more memory than is free for it
├── TimeShort              (TimeoutError)       work that takes longer than it may
├── FilterInvalid          (ValueError)         a filter expression that does not parse or check
├── ImageInvalid           (ValueError)         an image that cannot be predicted on
├── ModelInvalid           (ValueError)         a model file that is none, or has other inputs
├── RequestInvalid         (ValueError)         an HTTP or job request with a bad field
├── SettingInvalid         (ValueError)         a variable of the environment that is no number
├── ServerBusy             (RuntimeError)       more work asked for than the server takes at once
├── LimitReached           (RuntimeError)       more asked for by one person than each may have
├── SignInNeeded           (PermissionError)    work that a stranger may not ask for
├── RunNotFound            (LookupError)        no run of that id
├── RunFailed              (RuntimeError)       a run that ended with an error
├── RunCancelled           (RuntimeError)       a run that a person stopped
└── SchedulerUnreachable   (ConnectionError)    no Dask scheduler, or no worker, at the address

Messages are one line and carry both values: what was expected and what was found.
"""

from __future__ import annotations

from typing import Final

LONGEST: Final = 1000
"""Characters of a message: a file may hold any number of arrays with names of any length."""


def printable(text: str) -> str:
    """Text of a file or a person, in one line that shows what it says: nothing hidden or turned.

    >>> printable("a\\nb\\u202egpj.exe")
    'a\\\\nb\\\\u202egpj.exe'
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class MitoEMError(Exception):
    """Base of every error raised on purpose; pages and routes catch it once, at the edge."""

    def __str__(self) -> str:
        """The message alone, printable: builtin bases such as KeyError would quote it."""
        text = printable(" ".join(str(a) for a in self.args))
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


class NameInvalid(MitoEMError, ValueError):
    """A volume or labels name outside ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}``."""


class VolumeNotFound(MitoEMError, FileNotFoundError):
    """No complete volume of that name in any root."""


class VolumeExists(MitoEMError, FileExistsError):
    """A name that is already taken by other data."""


class VolumeInvalid(MitoEMError, ValueError):
    """A volume whose metadata does not parse."""


class AccessInvalid(MitoEMError, ValueError):
    """Rules of who may see what that do not parse, or cannot be followed."""


class LabelsNotFound(MitoEMError, LookupError):
    """The volume has no label set of that name."""


class InstanceNotFound(MitoEMError, LookupError):
    """No instance with that id in the label set."""


class TableMissing(MitoEMError, FileNotFoundError):
    """Labels that were never measured."""


class BoxInvalid(MitoEMError, ValueError):
    """Text or numbers that are no box."""


class BoxOutside(MitoEMError, IndexError):
    """A box or index outside the volume."""


class LevelInvalid(MitoEMError, IndexError):
    """A pyramid level that the volume lacks."""


class ChunkCorrupt(MitoEMError, OSError):
    """A chunk missing where one must be, or failing its checksum."""


class StoreUnreachable(MitoEMError, ConnectionError):
    """A remote data root that does not answer in time, or refuses."""


class SourceNotFound(MitoEMError, FileNotFoundError):
    """An input path that does not exist."""


class SourceUnreadable(MitoEMError, OSError):
    """An input that is truncated, empty, or not the format it claims to be."""


class SourceUnsupported(MitoEMError, ValueError):
    """An input whose format, data type or axis order is not read."""


class ShapeMismatch(MitoEMError, ValueError):
    """Two arrays that should agree in shape and do not."""


class LabelsInvalid(MitoEMError, ValueError):
    """Labels that are floats, negative, or beyond uint32."""


class VoxelSizeMissing(MitoEMError, ValueError):
    """A source that does not say its voxel size, or a size that no image of cells has."""


class DiskFull(MitoEMError, OSError):
    """Not enough free space, before or during a write."""


class DiskReadOnly(MitoEMError, PermissionError):
    """A disk or a folder that takes no writing."""


class MemoryShort(MitoEMError, MemoryError):
    """Work that needs more memory than is free for it; where it can be, found out before."""


class TimeShort(MitoEMError, TimeoutError):
    """Work that was ended because it takes longer than it may."""


class FilterInvalid(MitoEMError, ValueError):
    """A filter expression that does not parse, or names what is not there."""


class ImageInvalid(MitoEMError, ValueError):
    """An image that cannot be predicted on."""


class ModelInvalid(MitoEMError, ValueError):
    """A model file that is none, or whose inputs and outputs do not fit."""


class RequestInvalid(MitoEMError, ValueError):
    """A request with a missing, misspelt or out-of-range field."""


class ServerBusy(MitoEMError, RuntimeError):
    """More work asked for than the server takes at once; the same request may succeed later."""


class SettingInvalid(MitoEMError, ValueError):
    """A variable of the environment that does not say what it must."""


class LimitReached(MitoEMError, RuntimeError):
    """More asked for by one person than each may have at once; later it may succeed."""


class SignInNeeded(MitoEMError, PermissionError):
    """Work that only those may ask for who have signed in."""


class RunNotFound(MitoEMError, LookupError):
    """No run of that id."""


class RunFailed(MitoEMError, RuntimeError):
    """A run that ended with an error."""


class RunCancelled(MitoEMError, RuntimeError):
    """A run that a person stopped."""


class SchedulerUnreachable(MitoEMError, ConnectionError):
    """No Dask scheduler, or no worker of it, answers at the address that was given."""
