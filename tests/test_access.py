"""Who may see which volume: the rules, the file that holds them, the command that sets them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoem import access, catalog, cli
from mitoem.access import Rule
from mitoem.catalog import Catalog
from mitoem.errors import AccessInvalid
from mitoem.manifest import check_name, sealed
from mitoem.volume import to_url

ANNA, BERT = "a" * 32, "b" * 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three folders that count as volumes; nothing here opens them."""
    for name in ("free", "members", "free-" + "q" * 26):
        (tmp_path / name).mkdir()
        (tmp_path / name / "volume.json").write_text("{}")
    return tmp_path


def known(root: Path) -> Catalog:
    return Catalog((to_url(root),))


@pytest.mark.parametrize(
    ("rule", "opens", "lists"),
    [
        (Rule("public"), (None, ANNA, BERT), (None, ANNA, BERT)),
        (Rule("signed-in"), (ANNA, BERT), (ANNA, BERT)),
        (Rule("unlisted", ANNA), (None, ANNA, BERT), (ANNA,)),
        (Rule("unlisted"), (None, ANNA, BERT), ()),
        (Rule("unlisted", ANNA, time.time() - 1), (), ()),
        (Rule("public", "", time.time() - 1), (), ()),
        (Rule("public", "", time.time() + 1e6), (None, ANNA, BERT), (None, ANNA, BERT)),
    ],
)
def test_who_opens_and_who_is_told(
    rule: Rule, opens: tuple[str | None, ...], lists: tuple[str | None, ...]
) -> None:
    people = (None, ANNA, BERT)
    assert tuple(one for one in people if rule.opens(one)) == opens
    assert tuple(one for one in people if rule.lists(one)) == lists


def test_without_rules_everyone_sees_everything(root: Path) -> None:
    assert known(root).listed(None) == known(root).names()
    assert catalog.may_see("free", None, roots=known(root))


def test_rules_hide_volumes_and_the_default_holds_for_the_others(root: Path) -> None:
    hidden = "free-" + "q" * 26
    access.change_default(root, "signed-in")
    access.change(root, "free", Rule("public"))
    access.change(root, hidden, access.unlisted(ANNA))
    assert known(root).listed(None) == ["free"]
    assert known(root).listed(BERT) == ["free", "members"]
    assert known(root).listed(ANNA) == ["free", hidden, "members"]
    assert known(root).may_see(hidden, None)
    assert not known(root).may_see("members", None)
    access.change(root, hidden, None)
    assert not known(root).may_see(hidden, None)
    assert catalog.write_index(root) == ["free"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"default": "public"}',
        '{"default": "everyone", "volumes": {}}',
        '{"default": "public", "volumes": {"members": {}}}',
        '{"default": "public", "volumes": {"members": "signed-in"}}',
        '{"default": "public", "volumes": {"members": {"see": "public", "until": "soon"}}}',
        '{"default": "public", "volumes": {"../members": {"see": "public"}}}',
        '{"default": "public", "volumes": {}',
    ],
)
def test_rules_that_cannot_be_read_open_nothing(root: Path, text: str) -> None:
    access.change(root, "members", Rule("signed-in"))
    (root / access.FILE).write_text(text)
    assert known(root).listed(ANNA) == []
    assert not known(root).may_see("free", ANNA)
    (fault,) = known(root).faults()
    assert isinstance(fault, AccessInvalid) and access.FILE in str(fault)
    assert catalog.write_index(root) == []
    with pytest.raises(AccessInvalid):
        access.change(root, "free", Rule("public"))
    assert (root / access.FILE).read_text() == text


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_names_that_nobody_can_guess(name: str) -> None:
    hidden, other = access.unguessable(name), access.unguessable(name)
    assert check_name(hidden) == hidden
    assert access.unguessable(hidden) == hidden
    if hidden != name:
        assert hidden != other and len(set(hidden[-26:])) > 4
        assert hidden.startswith(name[:37])


def test_an_unlisted_volume_needs_such_a_name(root: Path) -> None:
    with pytest.raises(AccessInvalid, match="nobody can guess"):
        access.change(root, "free", access.unlisted(ANNA))
    assert not (root / access.FILE).exists()


def test_a_person_is_the_same_at_each_sign_in_and_nothing_is_told_of_them() -> None:
    claims = {"is_logged_in": True, "iss": "https://one", "sub": "anna@example.org"}
    name = access.person(claims)
    assert name is not None and re.fullmatch("[0-9a-f]{32}", name)
    assert name == access.person(claims | {"name": "Anna", "iat": 5})
    assert name != access.person(claims | {"iss": "https://two"})
    assert name != access.person(claims | {"sub": "bert@example.org"})
    for nobody in ({}, claims | {"is_logged_in": False}, claims | {"sub": ""}):
        assert access.person(nobody) is None


def test_the_command_shows_and_sets_rules(
    small_root: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*words: str) -> dict[str, object]:
        assert cli.main(["access", *words, "--data", f"{root}:{small_root}", "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    told = ask("phantom-r", "signed-in")
    assert told["volumes"] == {"phantom-r": {"see": "signed-in", "until": None, "over": False}}
    assert ask("--default", "signed-in")["default"] == "signed-in"
    hidden = access.unguessable("later")
    told = ask(hidden, "unlisted", "--days", "2")
    assert access.read(root).of(hidden).until == pytest.approx(time.time() + 2 * 86400, abs=60)
    access.change(root, hidden, Rule("unlisted", ANNA, 1.0))
    assert ask(hidden, "unlisted")["volumes"] != {}
    assert access.read(root).of(hidden).owner == ANNA
    for wrong in (["nowhere", "public"], ["free", "unlisted"], ["--days", "3"]):
        assert cli.main(["access", *wrong, "--data", str(root)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_volumes_whose_time_is_up_are_removed_when_asked_and_no_others(
    small_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    over, open_still = access.unguessable("over"), access.unguessable("open")
    for name in (over, open_still, "phantom-r"):
        shutil.copytree(small_root / "phantom-r", tmp_path / name)
        file = tmp_path / name / "volume.json"
        file.write_text(json.dumps(sealed(json.loads(file.read_text()) | {"name": name})))
    access.change(tmp_path, over, Rule("unlisted", ANNA, time.time() - 1))
    access.change(tmp_path, open_still, access.unlisted(ANNA))
    access.change(tmp_path, "phantom-r", Rule("public", "", time.time() - 1))
    assert cli.main(["access", "--remove-expired", "--json", "--data", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == [over]
    assert known(tmp_path).names() == sorted([open_still, "phantom-r"])
    assert set(access.read(tmp_path).volumes) == {open_still, "phantom-r"}
