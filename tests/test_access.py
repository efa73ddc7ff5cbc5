"""Who may see which volume: the rules, the file that holds them, the command that sets them."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

import files
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoem import access, catalog, cli
from mitoem.access import Rule
from mitoem.catalog import Catalog
from mitoem.errors import AccessInvalid, VolumeNotFound
from mitoem.manifest import check_name
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
        '{"default": "public", "volumes": {"members": {"see": "public", "until": NaN}}}',
        '{"default": "public", "volumes": {"members": {"see": "public", "until": 1e17}}}',
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
    assert hidden != other and len(set(hidden[-26:])) > 4
    assert hidden.startswith(name[:37])


def test_an_upload_takes_nobody_elses_name(root: Path) -> None:
    """Neither a volume, a claim, nor one whose time is up is taken over, prolonged or opened."""

    def claim(name: str, owner: str) -> str:
        return access.claim(root, name, owner, taken=known(root).names().__contains__)

    first = claim("crop", ANNA)
    assert claim(first, ANNA) == first, "another try of hers"
    assert claim(first, BERT) != first
    assert access.read(root).of(first).owner == ANNA
    over, closed = access.unguessable("over"), "free-" + "q" * 26
    access.change(root, over, Rule("unlisted", ANNA, 1.0))
    access.change(root, closed, Rule("signed-in"))
    for name in (over, closed):
        for person in (ANNA, BERT):
            assert claim(name, person) != name
    assert not access.read(root).of(over).opens(BERT)
    assert not access.read(root).of(closed).opens(None)


def test_a_name_stays_closed_when_its_volume_is_gone(root: Path) -> None:
    access.change(root, "members", Rule("signed-in"))
    access.change(root, "free", Rule("public"))
    for name in ("members", "free"):
        access.close(root, name)
    assert not access.read(root).of("members").opens(ANNA)
    assert access.read(root).of("free").opens(None)


def test_nothing_tells_a_hidden_volume_from_none(small_root: Path, tmp_path: Path) -> None:
    both = Catalog((to_url(tmp_path), to_url(small_root)))
    access.change(tmp_path, "phantom-r", Rule("signed-in"))
    for name in ("phantom-r", "nothing-r"):
        with pytest.raises(VolumeNotFound) as told:
            both.open_for(name, None)
        assert str(told.value) == f"no volume {name!r}"
        assert not getattr(told.value, "__notes__", [])
    assert both.open_for("phantom-r", ANNA).name == "phantom-r"


def test_a_missing_volume_names_the_others_to_the_machines_own_people_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VolumeNotFound) as told:
        known(root).open("nothing")
    assert "members" not in str(told.value)
    assert cli.main(["info", "nothing", "--data", str(root)]) == 1
    assert "there are: free" in capsys.readouterr().err


def test_an_unlisted_volume_needs_such_a_name(root: Path) -> None:
    with pytest.raises(AccessInvalid, match="nobody can guess"):
        access.change(root, "free", access.unlisted(ANNA))
    assert not (root / access.FILE).exists()


def test_a_person_is_the_same_at_each_sign_in_and_nothing_is_told_of_them(tmp_path: Path) -> None:
    claims = {"is_logged_in": True, "iss": "https://one", "sub": "anna@example.org"}
    name = access.person(claims, "key")
    assert name is not None and re.fullmatch("[0-9a-f]{32}", name)
    assert name == access.person(claims | {"name": "Anna", "iat": 5}, "key")
    assert name != access.person(claims | {"iss": "https://two"}, "key")
    assert name != access.person(claims | {"sub": "bert@example.org"}, "key")
    assert name != access.person(claims, "key of another server")
    for nobody in ({}, claims | {"is_logged_in": False}, claims | {"sub": ""}):
        assert access.person(nobody, "key") is None
    assert access.key(tmp_path) == access.key(tmp_path) != access.key(tmp_path / "other")
    assert (tmp_path / access.KEY).stat().st_mode & 0o077 == 0 or os.name == "nt"


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
    assert ask("coming", "signed-in")["volumes"], "before it is there"
    for wrong in (["free", "unlisted"], ["--days", "3"], ["free", "public", "--days", "1e9"]):
        assert cli.main(["access", *wrong, "--data", str(root)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_volumes_whose_time_is_up_are_removed_when_asked_and_no_others(
    small_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    over, open_still = access.unguessable("over"), access.unguessable("open")
    shutil.copytree(small_root / "phantom-r", tmp_path / "phantom-r")
    for name in (over, open_still):
        files.copy_volume(tmp_path / "phantom-r", name)
    access.change(tmp_path, over, Rule("unlisted", ANNA, time.time() - 1))
    access.change(tmp_path, open_still, access.unlisted(ANNA))
    access.change(tmp_path, "phantom-r", Rule("public", "", time.time() - 1))
    assert cli.main(["access", "--remove-expired", "--json", "--data", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == [over]
    assert known(tmp_path).names() == sorted([open_still, "phantom-r"])
    assert not access.read(tmp_path).of(over).opens(ANNA), "its runs stay closed"
    access.change(tmp_path, over, Rule("unlisted", ANNA, time.time() - 2 * 86400))
    elsewhere = f"{tmp_path / 'first'}:{tmp_path}"
    access.change(tmp_path / "first", open_still, Rule("unlisted", ANNA, 1.0))
    for roots in (str(tmp_path), elsewhere):
        assert cli.main(["access", "--remove-expired", "--data", roots]) == 0
    assert set(access.read(tmp_path).volumes) == {open_still, "phantom-r"}
    assert not access.read(tmp_path / "first").of(open_still).opens(ANNA), "another root has it"
