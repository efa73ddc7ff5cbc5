"""The stores that volumes lie on, by URL, and how long a remote one is waited for.

Everything is read through TensorStore's key-value stores: ``file://``, ``http(s)://``, ``s3://``.
A remote host that does not answer is asked again by one caller at a time and not before a pause,
so that whoever needs another root never waits for this one. ``AWS_ENDPOINT_URL`` names another
S3 server than Amazon's.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import tensorstore as ts

from mitoem.errors import StoreUnreachable, VolumeInvalid

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

PAUSE_S = 60.0
"""How long a host that did not answer is not asked again, seconds."""

HOLD_S = 5.0
"""How long a small remote file is used before it is looked at again, seconds."""

TURN_S = 30.0
"""How long the one caller that asks it again may take, seconds, while others are still told no."""

_HERE = re.compile(r"^(NOT_FOUND|OUT_OF_RANGE|DATA_LOSS|FAILED_PRECONDITION)")
"""Errors of a store that answers: what was asked for is absent, short or damaged."""

_AWAY = re.compile(
    r"CURL error (?P<curl>[^:\[]+)|(?P<http>[\w ]*)\[HTTP code (?P<code>\d+)\]"
    r"|\[http_response_code='(?P<s3>\d+)'\]"
)
"""How TensorStore says that no answer came, or a refusal."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """A host that did not answer: why, and until when it is not asked again."""

    reason: str
    until: float


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
    limit = int(os.environ.get("MITOEM_CACHE_BYTES", CACHE_BYTES))
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
    base, _, name = url.rpartition("/")
    admit(url)
    try:
        store = ts.KvStore.open(spec(base + "/"), context=context(url)).result()
        result = store.read(name).result()
    except (ValueError, OSError) as error:
        raise unreachable(url, error) or VolumeInvalid(f"{url}: {first_line(error)}") from error
    answered(url)
    return bytes(result.value) if result.state == "value" else None


def admit(url: str) -> None:
    """Raise StoreUnreachable, without asking, while the host of a URL is known not to answer."""
    host = _host(url)
    silence = _silent.get(host)
    if silence is None:
        return
    now = time.monotonic()
    if now < silence.until:
        raise StoreUnreachable(f"cannot reach {url}: {silence.reason}")
    _silent[host] = _Silence(silence.reason, now + TURN_S)


def answered(url: str) -> None:
    """The host of a URL answers: everybody may ask it."""
    _silent.pop(_host(url), None)


def unreachable(url: str, error: Exception) -> StoreUnreachable | None:
    """The error of a remote store that did not answer or refused; None for any other fault."""
    host, text = _host(url), str(error)
    found = _AWAY.search(text)
    if not host or found is None or _HERE.match(text):
        return None
    code = found["code"] or found["s3"]
    reason = (found["curl"] or found["http"] or "refused").strip() + (f" ({code})" if code else "")
    if code is None or code.startswith("5") or code == "429":
        _silent[host] = _Silence(reason, time.monotonic() + PAUSE_S)
    return StoreUnreachable(f"cannot reach {url}: {reason}")


def first_line(error: Exception) -> str:
    """What TensorStore says, without the specification that follows it."""
    return str(error).splitlines()[0].partition(" [tensorstore_spec")[0][:300]


def _host(url: str) -> str:
    """What answers for a URL: scheme, host and port; for S3 its bucket; nothing for files."""
    parts = urlsplit(url)
    return "" if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}"
