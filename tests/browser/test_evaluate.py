"""Evaluate as a person works with it: walk through the errors, judge, filter, look, come back."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

import mitoem
from browser.test_pages import rest, words
from mitoem import front, jobs

PAGE = "/evaluate?volume=phantom-h&prediction=spoilt"


@pytest.fixture(scope="module")
def errors(browser_root: Path) -> list[dict]:
    """Errors of labels that lack some instances, cut others and run others together."""
    volume = mitoem.open_volume("phantom-h", data=browser_root)
    truth = volume.read(layer="truth")
    spoilt = truth.copy()
    spoilt[truth % 5 == 1] = 0
    deep = np.zeros_like(truth, bool)
    deep[truth.shape[0] // 2 :] = True
    spoilt[(truth % 5 == 2) & deep] += 5000
    spoilt[truth % 5 == 3] = 3
    for name, ids in (("spoilt", spoilt), ("better", np.where(truth % 7 == 1, 0, truth))):
        mitoem.add_labels("phantom-h", name, ids, data=browser_root)
        request = {
            "volume": "phantom-h", "truth": "truth", "prediction": name, "data": str(browser_root),
        }  # fmt: skip
        fresh = mitoem.open_volume("phantom-h", data=browser_root)
        request["versions"] = [fresh.version(one) for one in ("truth", name)]
        run = jobs.submit(browser_root, "evaluate", request)
        assert jobs.wait(browser_root, run, seconds=120).state == "done"
    scores = mitoem.evaluate("phantom-h/truth", "phantom-h/spoilt", data=browser_root)
    return scores.to_json()["errors"]


def shown(page: Page, name: str) -> None:
    page.locator(f'.mistakes[data-shown="{name}"]').wait_for()


def test_errors_are_walked_judged_filtered_and_met_again(
    page: Page, browser_root: Path, errors: list[dict]
) -> None:
    names = [front.name_of(one) for one in errors]
    page.goto(PAGE)
    shown(page, names[0])
    browser = page.locator(".mistakes")
    browser.focus()
    for name in names[1:4]:
        page.keyboard.press("n")
        shown(page, name)
    page.keyboard.press("p")
    shown(page, names[2])
    page.keyboard.press("2")
    page.keyboard.press("n")
    page.keyboard.press("1")
    page.wait_for_url(re.compile(f"error={names[3]}"))
    rest(page)
    wanted = {names[2]: "label wrong", names[3]: "model wrong"}
    for _ in range(100):
        kept = mitoem.judgements("phantom-h", "truth", "spoilt", data=browser_root)
        if {name: one.verdict for name, one in kept.items()} == wanted:
            break
        page.wait_for_timeout(50)
    assert {name: one.verdict for name, one in kept.items()} == wanted
    rest(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV of errors and verdicts").click()
    frame = pd.read_csv(io.BytesIO(Path(saved.value.path()).read_bytes()), keep_default_na=False)
    assert frame["error"].tolist() == names
    assert frame.set_index("error").loc[names[2], "verdict"] == "label wrong"
    page.reload()
    shown(page, names[3])
    expect(page.locator('.mistakes .verdicts [aria-pressed="true"]')).to_have_text("Model wrong")
    page.get_by_role("button", name="label wrong", exact=True).first.click()
    page.wait_for_url(re.compile("judged=label"))
    shown(page, names[2])
    expect(page.locator(".mistakes .row")).to_have_count(1)
    assert page.locator(".mistakes .pair[data-drawn]").count() == 1


def test_an_error_opens_in_explore_with_both_sides(page: Page, errors: list[dict]) -> None:
    split = next(one for one in errors if one["kind"] == "split")
    page.goto(f"{PAGE}&error={front.name_of(split)}")
    shown(page, front.name_of(split))
    page.get_by_role("button", name="Open in Explore (e)").click()
    page.wait_for_url(re.compile("/explore"))
    page.locator('.viewer[data-settled="true"]').wait_for()
    now = words(page)
    assert [int(now[axis]) for axis in "zyx"] == list(split["point"])
    assert (now["beside"], now["colour"], now["sel"]) == ("spoilt", "error", str(split["truth"]))
    expect(page.locator(".viewer .colours")).to_contain_text("spoilt, outlined")
    expect(page.locator(".viewer .colours")).to_contain_text("split")


@pytest.mark.usefixtures("errors")
def test_two_predictions_are_put_beside_each_other(page: Page) -> None:
    page.goto(f"{PAGE}&other=better&part=Two+predictions")
    rest(page)
    expect(page.get_by_text(re.compile("They differ on [1-9]"))).to_be_visible()
    page.get_by_text("Scores", exact=True).click()
    page.wait_for_url(re.compile("part=Scores"))
    rest(page)
    table = page.locator(".st-key-metrics_table")
    expect(table).to_contain_text("spoilt")
    expect(table).to_contain_text("better")


@pytest.mark.usefixtures("errors")
def test_a_place_that_is_none_is_told_and_the_list_stays(page: Page) -> None:
    page.goto(f"{PAGE}&place=nowhere")
    expect(page.get_by_text(re.compile("z0:z1,y0:y1,x0:x1")).first).to_be_visible()
    page.locator(".mistakes .row").nth(3).wait_for()
    page.goto(f"{PAGE}&place=0:1,0:1,0:1")
    rest(page)
    expect(page.locator(".mistakes .row")).to_have_count(0)
    page.get_by_role("button", name="Clear the filters").click()
    page.locator(".mistakes .row").nth(3).wait_for()
    page.wait_for_url(lambda url: "place" not in url)


def test_from_a_crop_to_the_judged_errors_of_its_prediction(page: Page, browser_root: Path) -> None:
    page.goto("/inference?volume=phantom-h")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".stack[data-ready]").wait_for(timeout=90_000)
    rest(page)
    run = words(page)["run"]
    page.get_by_role("slider", name="Foreground from").press("ArrowRight")
    page.wait_for_url(lambda url: f"run={run}" not in url and "run=" in url)
    page.get_by_label("Save as labels").wait_for()
    rest(page)
    page.get_by_label("Save as labels").fill("tried")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as labels “tried”")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Evaluate").click()
    page.wait_for_url(re.compile("/evaluate"))
    rest(page)
    page.goto("/evaluate?volume=phantom-h&prediction=tried")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.locator(".mistakes[data-shown]").wait_for(timeout=60_000)
    first = page.locator(".mistakes").get_attribute("data-shown")
    page.locator(".mistakes").press("3")
    expect(page.locator('.mistakes .verdicts [aria-pressed="true"]')).to_have_text("Unsure")
    for _ in range(100):
        kept = mitoem.judgements("phantom-h", "truth", "tried", data=browser_root)
        if kept:
            break
        page.wait_for_timeout(50)
    assert {name: one.verdict for name, one in kept.items()} == {first: "unsure"}
    page.reload()
    page.locator(".mistakes[data-shown]").wait_for()
    page.get_by_text("Thresholds", exact=True).click()
    page.wait_for_url(re.compile("part=Thresholds"))
    page.locator(".stack[data-ready]").wait_for()
    page.get_by_role("slider", name="Foreground from").press("ArrowRight")
    page.wait_for_url(re.compile("trying="))
    rest(page)
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
    jobs.stop_worker(browser_root)
