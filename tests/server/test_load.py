"""The load of ``bench/load.py`` in a short version, without its times."""

from __future__ import annotations

from pathlib import Path

from bench import load


def test_ten_clients_and_a_crowd_see_no_error(root: Path) -> None:
    words = ["--data", str(root), "--volume", "wide", "--clients", "10", "--seconds", "6",
             "--overload-clients", "400", "--overload-seconds", "2"]  # fmt: skip
    found = load.drive(load.arguments(words))
    normal, overload = found["normal"], found["overload"]
    assert normal["errors"] == 0, normal["first_errors"]
    assert set(normal["statuses"]) == {"200"}
    assert normal["tiles"]["n"] >= 10 * 2 * load.VIEW
    assert normal["pages"]["n"] >= 10
    assert normal["memory_mb"]["worker"]["most"] > 0
    assert overload["errors"] == 0, overload["first_errors"]
    assert overload["unfair"] == []
    assert set(overload["statuses"]) == {"200", "503"}
    assert overload["healthz"]["n"] > 0
    assert overload["recovery_s"] is not None
