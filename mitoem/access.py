"""Who may see which volume: the rules in ``access.json`` of the first data root.

``{"default": "public", "volumes": {NAME: {"see": "signed-in"}}}``. A *public* volume is everyone's,
a *signed-in* one is for those who have signed in. An *unlisted* one is for whoever knows its name,
which nobody can guess, until a day; it is listed for the person who brought it, and for no other.
Without the file everything is public. Where it cannot be read, nobody sees anything.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import time
from base64 import b32encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from filelock import FileLock

from mitoem.errors import AccessInvalid
from mitoem.manifest import check_name

FILE: Final = "access.json"

See = Literal["public", "signed-in", "unlisted"]

UNLISTED_DAYS: Final = 30.0
"""How long an unlisted volume is shown unless somebody says otherwise."""

_TAIL = re.compile(r".*-[a-z2-7]{26}")
"""What makes a name one that nobody can guess: 128 random bits in base 32."""

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Who sees a volume; ``owner`` is a ``person``, ``until`` in seconds since 1970."""

    see: See = "public"
    owner: str = ""
    until: float = math.inf

    @property
    def over(self) -> bool:
        """Whether its time is up: nobody sees the volume any more."""
        return time.time() >= self.until

    def opens(self, user: str | None) -> bool:
        """Whether a person who knows the volume's name may see it."""
        return not self.over and (self.see != "signed-in" or user is not None)

    def lists(self, user: str | None) -> bool:
        """Whether a person is told that the volume exists."""
        own = self.see != "unlisted" or (user is not None and user == self.owner)
        return own and self.opens(user)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a root; ``default`` holds for volumes that are not named."""

    default: See = "public"
    volumes: Mapping[str, Rule] = field(default_factory=dict)

    def of(self, volume: str) -> Rule:
        """The rule of a volume."""
        return self.volumes.get(volume) or Rule(self.default)


def read(root: Path) -> Rules:
    """The rules of a root; raises AccessInvalid for a file that does not say them."""
    path = root / FILE
    try:
        known = path.stat()
    except FileNotFoundError:
        return Rules()
    except OSError as error:
        raise AccessInvalid(f"{FILE}: {error.strerror or error}") from error
    return _read(path, known.st_mtime_ns, known.st_size, known.st_ino)


@lru_cache(maxsize=16)
def _read(path: Path, *_version: int) -> Rules:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        rules = {check_name(name): _rule(one) for name, one in data["volumes"].items()}
        return Rules(_see(data["default"]), rules)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AccessInvalid(f"{FILE}: {type(error).__name__} {error}") from error


def _rule(data: Mapping[str, Any]) -> Rule:
    return Rule(_see(data["see"]), str(data.get("owner", "")), float(data.get("until", math.inf)))


def _see(text: object) -> See:
    if text not in get_args(See):
        raise ValueError(f"expected one of {', '.join(get_args(See))}, found {text!r}")
    return cast(See, text)


def change(root: Path, volume: str, rule: Rule | None) -> None:
    """Set the rule of a volume; None leaves it to the default.

    Raises AccessInvalid for a file that does not say its rules, or for an unlisted volume with a
    name that can be guessed.
    """
    check_name(volume)
    if rule is not None and rule.see == "unlisted" and not _TAIL.fullmatch(volume):
        raise AccessInvalid(
            f"volume {volume!r}: expected a name that nobody can guess for an unlisted volume, "
            f"such as {unguessable(volume)!r}; ingest it again by that name"
        )
    with _held(root):
        before = read(root)
        volumes = {name: one for name, one in before.volumes.items() if name != volume}
        _write(root, Rules(before.default, volumes | ({volume: rule} if rule else {})))


def change_default(root: Path, see: str) -> None:
    """Say who sees the volumes that no rule names; raises AccessInvalid."""
    if see not in ("public", "signed-in"):
        raise AccessInvalid(f"default: expected public or signed-in, found {see!r}")
    with _held(root):
        _write(root, Rules(_see(see), read(root).volumes))


def unguessable(name: str) -> str:
    """A name for an unlisted volume: the given one, cut, with 128 random bits behind it.

    A name that is one already stays as it is.
    """
    if _TAIL.fullmatch(name):
        return name
    tail = b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
    return f"{name[: 64 - 27]}-{tail}"


def days() -> float:
    """How many days an unlisted volume is shown: ``MITOEM_UNLISTED_DAYS``, else 30."""
    return float(os.environ.get("MITOEM_UNLISTED_DAYS") or UNLISTED_DAYS)


def unlisted(owner: str = "", *, last: float | None = None) -> Rule:
    """The rule of a person's own upload, for so many days from now."""
    return Rule("unlisted", owner, time.time() + (days() if last is None else last) * _DAY)


def person(claims: Mapping[str, Any]) -> str | None:
    """A name for a person who has signed in, by what the OpenID provider says; None for nobody.

    The same for the same person at the same provider, and it tells nothing about them.
    """
    if not claims.get("is_logged_in") or not claims.get("sub"):
        return None
    return pseudonym(str(claims.get("iss") or claims.get("provider")), str(claims["sub"]))


def pseudonym(*words: str) -> str:
    """32 letters for words: the same for the same ones, and nothing to be read from them."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def _held(root: Path) -> FileLock:
    (root / ".locks").mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".locks" / ".access.lock")


def _write(root: Path, rules: Rules) -> None:
    volumes = {
        name: {"see": one.see}
        | ({"owner": one.owner} if one.owner else {})
        | ({"until": one.until} if math.isfinite(one.until) else {})
        for name, one in sorted(rules.volumes.items())
    }
    partial = root / f".{FILE}.partial"
    try:
        text = json.dumps({"default": rules.default, "volumes": volumes}, indent=1)
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(root / FILE)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
