"""The description of the routes, and hostile requests made from it."""

from __future__ import annotations

import copy
import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served import BALL, Site
from starlette.routing import Route

from mitoem import server
from mitoem.server import openapi, static
from mitoem.server.prefix import Prefix

KNOWN = {
    "volume": ["wide", "none"],
    "labels": ["truth", "run-1", "image", "none"],
    "prediction": ["run-1", "none"],
    "layer": ["image", "truth", "run-1"],
    "instance_id": [BALL, 70_000, 0, 5],
    "filter": ["", "volume_um3 > 0.01", "split == 'train'", "(", "nothing < 1"],
    "columns": ["", "instance_id,mci", "none"],
    "by": ["volume_um3", "error", "split", "none"],
    "level": [0, 1, 2, 9],
    "release": [static.release(), "0" * 16],
    "z": [0, 3, 11, 12, 2**31],
    "y": [0, 400, 1099, 2**31],
    "x": [0, 250, 529, 2**31],
    "index": [0, 3, 11, 2**31],
    "row": [0, 1, 9],
    "column": [0, 1, 9],
    "file": ["viewer.js", "viewer.css", "plotly.min.js", "none.js"],
}
"""Words that lead to something, and some that do not: what is made up alone is never there."""

TILES = "/api/v1/volumes/{volume}/tiles/{layer}/{axis}/{level}/{index}/{row}/{column}"

EXAMPLES = int(os.environ.get("MITOEM_FUZZ", "12"))
"""Requests to each route, well-formed and as many malformed ones."""

MANY = 1000
"""Examples that make more than twenty thousand requests of one run."""

ANSWERS: Counter[int] = Counter()
"""Answers to them, by status."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def described() -> dict[str, Any]:
    """The description with the words of the test's own volume."""
    document = copy.deepcopy(openapi.description())
    for path in document["paths"].values():
        for one in path["get"]["parameters"]:
            if one["name"] in KNOWN:
                # Not `anyOf` with what is allowed beside it: that is simplified to the latter.
                one["schema"] = {"enum": KNOWN[one["name"]]}
    return document


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda one: one.value)
@pytest.mark.parametrize("path", list(openapi.ROUTES))
def test_no_request_gives_what_is_not_described(
    path: str, mode: GenerationMode, address: str
) -> None:
    operation = schemathesis.openapi.from_dict(described())[path]["GET"]
    if mode.is_negative and not operation.query and not operation.path_parameters:
        return  # nothing of it can be wrong

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=address, timeout=20, allow_redirects=False)
        ANSWERS[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        assert b"Traceback" not in answer.content[:10_000]
        assert len(answer.content) < 40_000_000

    ask()


def test_so_many_were_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Runs after the ones above, in the same process, and prints how many."""
    if not ANSWERS:
        pytest.skip("nothing was asked: the tests above were left out")
    with capsys.disabled():
        print(f"\n{ANSWERS.total():,} requests, answers by status: {dict(sorted(ANSWERS.items()))}")
    assert ANSWERS.total() >= (20_000 if EXAMPLES >= MANY else 10 * EXAMPLES)
    assert ANSWERS[200] and ANSWERS[404]


def test_what_is_asked_leads_to_something(address: str) -> None:
    """Else the routes are not tried, only their doors."""
    found = []
    operation = schemathesis.openapi.from_dict(described())[TILES]["GET"]

    @settings(max_examples=80, deadline=None, derandomize=True)
    @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def ask(case: schemathesis.Case) -> None:
        found.append(case.call(base_url=address, timeout=20).status_code)

    ask()
    assert found.count(200) > 0


def test_every_route_is_described() -> None:
    served = set()
    for prefix in server.routes():
        assert isinstance(prefix, Prefix)
        routes = getattr(getattr(prefix.app, "app", None), "routes", [])
        served |= {one.path for one in routes if isinstance(one, Route)}
    assert served == set(openapi.ROUTES)


def test_the_description_is_served_as_json(site: Site) -> None:
    answer = site.ask("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == openapi.description()
