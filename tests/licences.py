"""What is installed at run time and under which licences; prints ``docs/licences.md``.

``python tests/licences.py > docs/licences.md`` writes it anew. Licences are what the packages say
of themselves: the expression, else the classifiers, else the first line of the old field.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"

NAMED = {
    "MIT License": "MIT",
    "MIT": "MIT",
    "BSD License": "BSD",
    "BSD": "BSD",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""Names of classifiers and old fields, as SPDX has them."""


def licences() -> dict[str, str]:
    """Licence of every package that ``requirements.txt`` brings, by its normal name."""
    todo = [
        Requirement(line)
        for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    found: dict[str, str] = {}
    while todo:
        wanted = todo.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in found or (wanted.marker and not _holds(wanted)):
            continue
        try:
            package = distribution(wanted.name)
        except PackageNotFoundError:
            continue
        found[name] = licence(package)
        todo += [
            one for text in package.requires or [] if _wanted(one := Requirement(text), wanted)
        ]
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """The licence of a package, as SPDX has it where that is known."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return expression
    kinds = [
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier") or []
        if one.startswith("License :: ") and one.count(" :: ") > 1
    ]
    if kinds:
        return " AND ".join(sorted({NAMED.get(one, one) for one in kinds}))
    first = (told.get("License") or "").strip().partition("\n")[0]
    return NAMED.get(first, first or "unknown")


def _holds(one: Requirement, extra: str = "") -> bool:
    return one.marker is None or one.marker.evaluate({"extra": extra})


def _wanted(one: Requirement, by: Requirement) -> bool:
    return any(_holds(one, extra) for extra in ("", *by.extras))


def page() -> str:
    """The page of the documentation."""
    rows = [f"| {name} | {one} |" for name, one in licences().items()]
    return "\n".join(
        [
            "# Licences of what is installed at run time",
            "",
            "The explorer is MIT. `requirements.txt` brings, with all that it needs in turn",
            "(written by `python tests/licences.py`, held by a test):",
            "",
            "| package | licence |",
            "|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")
