"""The stores that volumes lie on, by URL, and how long a remote one is waited for.

Everything is read through TensorStore's key-value stores: ``file://``, ``http(s)://``, ``s3://``.
A remote host that does not answer is given up within seconds; after a pause a thread of its own
asks it again, and until it answers everybody is told so at once: no caller waits for it twice, and
whoever needs another root never waits for this one. ``AWS_ENDPOINT_URL`` names another
S3 server than Amazon's.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import tensorstore as ts

from mitoem import settings
from mitoem.errors import MitoEMError, StoreUnreachable, VolumeInvalid

CACHE_BYTES = 256_000_000

REQUESTS = 32
"""Requests to a remote host at a time, as TensorStore has it for all hosts together."""

RETRIES = {"max_retries": 2, "initial_delay": "200ms", "max_delay": "1s"}
"""A request is made three times at most; TensorStore's own 32 times may take half an hour."""

PATIENCE = {
    "TENSORSTORE_CURL_CONNECT_TIMEOUT_SECONDS": "5",
    "TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS": "5",
    "TENSORSTORE_CURL_LOW_SPEED_LIMIT_BYTES": "64",
}
"""Seconds to wait for a connection, and seconds below so many bytes a second that end a request.

TensorStore knows these as environment variables alone; one that is set already is left so.
"""

PAUSE_S = 15.0
"""How long a host that did not answer is not asked again, seconds; ``MITOEM_STORE_PAUSE``."""

ANSWER_S = 6.0
"""How long the answer to a small request is waited for, with all tries, seconds;
``MITOEM_STORE_PATIENCE``."""

VOXELS_S = 100_000
"""Voxels that a second more is waited for: slower than that nobody can look at a volume."""

HOLD_S = 5.0
"""How long a small remote file is used before it is looked at again, seconds."""

_HERE = re.compile(r"^(NOT_FOUND|OUT_OF_RANGE|DATA_LOSS|FAILED_PRECONDITION)")
"""Errors of a store that answers: what was asked for is absent, short or damaged."""

_AWAY = re.compile(
    r"CURL error (?P<curl>[^:\[]+)|(?P<http>[\w ]*)\[HTTP code (?P<code>\d+)\]"
    r"|\[http_response_code='(?P<s3>\d+)'\]"
)
"""How TensorStore says that no answer came, or a refusal."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """A host that did not answer: why, until when it is not asked again, and with which file."""

    reason: str
    until: float
    url: str


_silent: dict[str, _Silence] = {}

_held: dict[str, tuple[float, bytes | None]] = {}


def context(url: str) -> ts.Context:
    """The TensorStore context of a URL: one byte-bounded cache of decoded chunks for all.

    Each remote host has its own number of requests at a time: TensorStore goes on with those that
    wait on a silent host, and another host's must not stand behind them.
    """
    return _context(_host(url))


@cache
def _context(host: str) -> ts.Context:
    if host:
        own = {"limit": REQUESTS}
        requests = {"http_request_concurrency": own, "s3_request_concurrency": own}
        return ts.Context(requests, parent=_context(""))
    for variable, value in PATIENCE.items():
        os.environ.setdefault(variable, value)
    limit = int(settings.number("MITOEM_CACHE_BYTES", CACHE_BYTES))
    return ts.Context(
        {
            "cache_pool": {"total_bytes_limit": limit},
            "http_request_retries": RETRIES,
            "s3_request_retries": RETRIES,
        }
    )


def spec(url: str) -> str | dict[str, Any]:
    """What TensorStore opens as the key-value store at a URL."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not (url.startswith("s3://") and endpoint):
        return url
    bucket, _, path = url.removeprefix("s3://").partition("/")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return {
        "driver": "s3",
        "bucket": bucket,
        "path": path,
        "endpoint": endpoint,
        "aws_region": region,
    }


def read_held(url: str) -> bytes | None:
    """``read_bytes`` of a small file: a remote one is asked for at most every few seconds."""
    if not _host(url):
        return read_bytes(url)
    until, data = _held.get(url, (0.0, None))
    if time.monotonic() > until:
        data = read_bytes(url)
        _held[url] = (time.monotonic() + HOLD_S, data)
    return data


def read_bytes(url: str) -> bytes | None:
    """The content of a file at a URL, or None where there is none; raises StoreUnreachable."""
    admit(url)
    return _read(url)


def _read(url: str) -> bytes | None:
    base, _, name = url.rpartition("/")
    try:
        store = wait(ts.KvStore.open(spec(base + "/"), context=context(url)), url)
        result = wait(store.read(name), url)
    except (ValueError, OSError) as error:
        raise unreachable(url, error) or VolumeInvalid(f"{url}: {first_line(error)}") from error
    answered(url)
    return bytes(result.value) if result.state == "value" else None


def wait(future: Any, url: str, *, voxels: int = 0) -> Any:
    """The result of a TensorStore future; raises TimeoutError, which ``unreachable`` knows."""
    if not _host(url):
        return future.result()
    try:
        return future.result(timeout=patience(voxels))
    except TimeoutError:
        future.cancel()
        raise


def patience(voxels: int = 0) -> float:
    """How long an answer that brings so many voxels is waited for, seconds."""
    return settings.number("MITOEM_STORE_PATIENCE", ANSWER_S) + voxels / VOXELS_S


def admit(url: str) -> None:
    """Raise StoreUnreachable, without asking, while the host of a URL is known not to answer.

    When its pause is over, a thread asks it: from its answer on the host is asked as usual.
    """
    host = _host(url)
    silence = _silent.get(host)
    if silence is None:
        return
    if time.monotonic() >= silence.until:
        _silent[host] = _Silence(silence.reason, math.inf, silence.url)
        threading.Thread(target=_probe, args=(host, silence), name="probe", daemon=True).start()
    raise StoreUnreachable(f"cannot reach {url}: {silence.reason}")


def silent() -> bool:
    """Whether some host is known not to answer."""
    return bool(_silent)


def forget_silence() -> None:
    """Ask every host again that did not answer, for a person who says that it is there now."""
    _silent.clear()


def _probe(host: str, silence: _Silence) -> None:
    """Ask a silent host for the file that it did not give."""
    try:
        _read(silence.url + "volume.json" if silence.url.endswith("/") else silence.url)
    except (MitoEMError, RuntimeError):
        if _silent.get(host, silence).until == math.inf:  # it refused, or failed in another way
            answered(silence.url)


def answered(url: str) -> None:
    """The host of a URL answers: everybody may ask it."""
    _silent.pop(_host(url), None)


def unreachable(url: str, error: Exception) -> StoreUnreachable | None:
    """The error of a remote store that did not answer or refused; None for any other fault."""
    host, text = _host(url), str(error)
    if host and isinstance(error, TimeoutError):
        text = "CURL error no answer in time"
    found = _AWAY.search(text)
    if not host or found is None:
        return None
    code = found["code"] or found["s3"]
    if _HERE.match(text) and not (code or "").startswith("3"):  # sent from one place to the next
        return None
    reason = (found["curl"] or found["http"] or "refused").strip() + (f" ({code})" if code else "")
    if code is None or code.startswith("5") or code == "429":
        until = time.monotonic() + settings.number("MITOEM_STORE_PAUSE", PAUSE_S)
        _silent[host] = _Silence(reason, until, url)
    return StoreUnreachable(f"cannot reach {url}: {reason}")


def first_line(error: Exception) -> str:
    """What TensorStore says, without the specification that follows it."""
    text = str(error) or type(error).__name__
    return text.splitlines()[0].partition(" [tensorstore_spec")[0][:300]


def _host(url: str) -> str:
    """What answers for a URL: scheme, host and port; for S3 its bucket; nothing for files."""
    parts = urlsplit(url)
    return "" if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}"
