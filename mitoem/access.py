"""Who may see which volume: the rules in ``access.json`` of the first data root.

``{"default": "public", "volumes": {NAME: {"see": "signed-in"}}}``. A *public* volume is everyone's,
a *signed-in* one is for those who have signed in. An *unlisted* one is for whoever knows its name,
which nobody can guess, until a day; it is listed for the person who brought it, and for no other.
Without the file everything is public. Where it cannot be read, nobody sees anything.
"""

from __future__ import annotations

import hmac
import json
import math
import re
import secrets
import time
from base64 import b32encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from filelock import FileLock

from mitoem import settings
from mitoem.errors import AccessInvalid
from mitoem.manifest import check_name

FILE: Final = "access.json"

KEY: Final = ".people.key"
"""In the first data root: what makes of people's names others that nobody can trace back."""

LATEST: Final = 1e11
"""Seconds since 1970 that a rule may last: some three thousand years."""

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
    until = float(data["until"]) if "until" in data else math.inf
    if "until" in data and not 0 <= until <= LATEST:
        raise ValueError(f"until: expected seconds since 1970, found {until}")
    return Rule(_see(data["see"]), str(data.get("owner", "")), until)


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


def claim(root: Path, name: str, owner: str, *, taken: Callable[[str], bool]) -> str:
    """The name of a person's upload, unlisted from now on; nobody else's rule is touched.

    A name that they claimed before, for a try that failed, stays; any other gets new random bits.
    ``taken`` tells whether there is a volume of a name. Raises AccessInvalid.
    """
    with _held(root):
        rules = read(root)
        mine = rules.volumes.get(name, Rule())
        if mine.owner != owner or mine.over or taken(name):
            name = unguessable(name)
        _write(root, Rules(rules.default, {**rules.volumes, name: unlisted(owner)}))
    return name


def close(root: Path, volume: str) -> None:
    """A volume is gone: what was not everyone's stays closed, its runs and its name too.

    ``change`` opens the name again. Raises AccessInvalid.
    """
    rule = read(root).volumes.get(volume)
    if rule is None or rule.see == "public":
        return
    change(root, volume, replace(rule, until=min(rule.until, time.time())))


def change_default(root: Path, see: str) -> None:
    """Say who sees the volumes that no rule names; raises AccessInvalid."""
    if see not in ("public", "signed-in"):
        raise AccessInvalid(f"default: expected public or signed-in, found {see!r}")
    with _held(root):
        _write(root, Rules(_see(see), read(root).volumes))


def unguessable(name: str) -> str:
    """A name for an unlisted volume: the given one, cut, with 128 random bits behind it."""
    tail = b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
    return f"{name[: 64 - 27]}-{tail}"


def days() -> float:
    """How many days an unlisted volume is shown: ``MITOEM_UNLISTED_DAYS``, else 30."""
    return settings.number("MITOEM_UNLISTED_DAYS", UNLISTED_DAYS)


def unlisted(owner: str = "", *, last: float | None = None) -> Rule:
    """The rule of a person's own upload, for so many days from now."""
    return Rule("unlisted", owner, time.time() + (days() if last is None else last) * _DAY)


def person(claims: Mapping[str, Any], key: str) -> str | None:
    """A name for a person who has signed in, by what the OpenID provider says; None for nobody.

    The same for the same person at the same provider; who lacks the key learns nothing from it.
    """
    if not claims.get("is_logged_in") or not claims.get("sub"):
        return None
    return pseudonym(key, str(claims.get("iss") or claims.get("provider")), str(claims["sub"]))


def pseudonym(key: str, *words: str) -> str:
    """32 letters for words: the same for the same ones, and not to be found out by trying words."""
    return hmac.digest(key.encode(), "\0".join(words).encode(), "sha256").hex()[:32]


@lru_cache(maxsize=16)
def key(root: Path) -> str:
    """The key of the people's names in a root, made when it is first asked for; raises OSError."""
    (root / ".locks").mkdir(parents=True, exist_ok=True)
    path = root / KEY
    with FileLock(root / ".locks" / ".key.lock"):
        if not path.exists():
            draft = root / f"{KEY}.partial"
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_hex(32), encoding="ascii")
            draft.replace(path)
    return path.read_text(encoding="ascii")


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
