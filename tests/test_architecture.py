"""The house keeps its plan: who may import whom, how long a file may be, what stays pure."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mitoem"

LINES = (
    ("errors", "geometry", "manifest", "ome", "filters", "version"),
    ("pyramid", "labels", "morphometry", "meshes", "render", "scores", "effects", "phantom"),
    ("settings", "access", "catalog", "tables", "stores", "volume", "blocks", "ingestion",
     "inference", "view"),
    ("front", "figures", "export", "checking", "neuroglancer"),
    ("jobs", "demo"),
    ("server", "cli", "__main__"),
    ("ui",),
)  # fmt: skip
"""Rooms from the ground up; a room imports from its own line and the lines above it here."""

ALONE = {"training"}
"""Imported by nothing; may import anything."""

PURE = LINES[0] + LINES[1]
"""Arrays and numbers in and out: no files, no network, no printing."""

FILES = {"open", "print", "input"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of the project that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "mitoem":
            names = [f"mitoem.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("mitoem.")}
    return found


def line_of(name: str) -> int:
    for number, line in enumerate(LINES):
        if name in line:
            return number
    raise AssertionError(f"{name} has no line in the plan")


def test_imports_point_down_or_sideways() -> None:
    wrong = []
    for path in modules():
        here = room(path)
        if here in ALONE or here == "__init__":
            continue
        for other in imported_rooms(path):
            if (PACKAGE / other).exists() or (PACKAGE / f"{other}.py").exists():
                assert other not in ALONE, f"{path} imports {other}"
                if line_of(other) > line_of(here):
                    wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert not wrong, wrong


def test_pages_import_streamlit_and_the_package_alone() -> None:
    for path in [*ROOT.glob("pages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                top = (module or "").split(".")[0]
                allowed = {"streamlit", "mitoem", "__future__"} | set(sys.stdlib_module_names)
                assert top in allowed, f"{path.name} imports {module}"


def test_pure_rooms_open_and_print_nothing() -> None:
    for path in modules():
        if room(path) not in PURE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FILES, f"{path}:{node.lineno} calls {node.func.id}"


@pytest.mark.parametrize(
    ("pattern", "most"), [("pages/*.py", 80), ("mitoem/**/*.py", 300), ("app.py", 20)]
)
def test_no_file_is_longer_than_the_house_allows(pattern: str, most: int) -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in ROOT.glob(pattern)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > most
    }
    assert not long, long


def test_nothing_is_named_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "base"}
    assert not [path for path in modules() if path.stem in drawers or path.parent.name in drawers]


def test_importing_the_package_does_not_load_streamlit_or_torch() -> None:
    code = "import sys, mitoem, mitoem.cli; print({'streamlit', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_every_error_is_in_the_tree_at_the_top_of_its_file() -> None:
    text = (PACKAGE / "errors.py").read_text(encoding="utf-8")
    classes = {
        (node.name, node.bases[1].id)
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and len(node.bases) == 2
        and isinstance(node.bases[1], ast.Name)
    }  # fmt: skip
    tree = set(re.findall(r"[├└]── (\w+)\s+\((\w+)\)", text))
    assert classes == tree


def test_every_dependency_is_pinned_exactly() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-train.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert re.fullmatch(r"[A-Za-z0-9_.\-]+(\[\w+\])?==[\w.]+", line), line


def test_the_version_is_the_same_everywhere() -> None:
    import mitoem

    pyproject = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{mitoem.__version__}"' in pyproject
    assert mitoem.__version__ in (ROOT / "CHANGELOG.md").read_text()
