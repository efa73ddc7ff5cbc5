"""A person's own image, from the file chooser to the model's result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page, expect

import mitoem
from browser.test_pages import rest, words
from mitoem import jobs
from mitoem.geometry import Box

PART = Box((0, 0, 0), (16, 192, 192))
WAIT = 90_000


@pytest.fixture(autouse=True, scope="module")
def no_worker_left(browser_root: Path) -> Iterator[None]:
    yield
    jobs.stop_worker(browser_root)


@pytest.fixture(scope="module")
def grey(browser_root: Path) -> np.ndarray:
    """Grey values of a phantom, as a person's own."""
    return mitoem.open_volume("phantom-r", data=browser_root).read(PART)


def choose(page: Page, path: Path) -> None:
    """Go to the upload of Inference and choose a file."""
    page.goto("/inference?volume=phantom-h")
    rest(page)
    page.get_by_role("radio", name="Upload").click()
    page.locator('input[type="file"]').set_input_files(path)
    expect(page.get_by_label("Volume name")).to_be_visible()


def type_size(page: Page) -> None:
    for name, value in (("Voxel z (nm)", "30"), ("y", "8"), ("x", "8")):
        box = page.get_by_role("spinbutton", name=name, exact=True)
        box.fill(value)
        box.press("Tab")
        rest(page)


def send(page: Page) -> None:
    page.get_by_role("button", name="Add as a volume").click()


def arrive(page: Page, name: str) -> None:
    """The page of the new volume, with a crop of all of it."""
    page.wait_for_url(re.compile(f"volume={name}(&|$)"), timeout=WAIT)
    expect(page.get_by_text("16 × 192 × 192").first).to_be_visible()
    assert "upload" not in words(page)


@pytest.mark.long
def test_an_uploaded_stack_is_predicted(page: Page, tmp_path: Path, grey: np.ndarray) -> None:
    tifffile.imwrite(
        tmp_path / "my crop.tif", grey, imagej=True, resolution=(1 / 8, 1 / 8),
        metadata={"axes": "ZYX", "spacing": 30.0, "unit": "nm"},
    )  # fmt: skip
    choose(page, tmp_path / "my crop.tif")
    expect(page.get_by_label("Volume name")).to_have_value("my-crop")
    send(page)
    arrive(page, "my-crop")
    expect(page.get_by_text("Taken in: my-crop.tif: TIFF stack")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".stack[data-ready]").wait_for(timeout=WAIT)
    expect(page.get_by_text("No truth here")).to_be_visible()
    run = words(page)["run"]
    page.get_by_role("slider", name="Foreground from").press("ArrowRight")
    page.wait_for_url(lambda url: f"run={run}" not in url and "run=" in url)
    page.get_by_role("button", name="Save", exact=True).wait_for()
    rest(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Table CSV").click()
    assert Path(saved.value.path()).read_text().startswith("instance_id,")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as labels")).to_be_visible(timeout=WAIT)
    page.reload()
    expect(page.get_by_text("Saved as labels")).to_be_visible()
    page.locator(".stack[data-ready]").wait_for()


def test_sixteen_bits_and_no_voxel_size_are_asked_for_one_after_the_other(
    page: Page, tmp_path: Path, grey: np.ndarray, browser_root: Path
) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", grey.astype(np.uint16) * 257)
    choose(page, tmp_path / "deep.tif")
    send(page)
    expect(page.get_by_text("VoxelSizeMissing")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name="try again")).to_be_disabled()
    rest(page)
    page.reload()
    rest(page)
    expect(page.get_by_text("VoxelSizeMissing")).to_be_visible()
    type_size(page)
    page.get_by_text("Rescale uint16 to 8 bit").click()
    rest(page)
    page.get_by_role("button", name="try again").click()
    arrive(page, "deep")
    image = mitoem.open_volume("deep", data=browser_root).read().astype(int)
    low, high = int(grey.min()), int(grey.max())
    assert np.abs(image - np.rint((grey - low) * 255.0 / (high - low))).max() <= 1


def test_a_file_that_is_no_image_is_named_and_the_page_stays_usable(
    page: Page, tmp_path: Path
) -> None:
    (tmp_path / "notes.tif").write_text("this is no image")
    choose(page, tmp_path / "notes.tif")
    send(page)
    expect(page.get_by_text("SourceUnsupported")).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("notes.tif: expected nifti")).to_be_visible()
    page.get_by_role("button", name="Choose another file").click()
    expect(page.locator('input[type="file"]')).to_be_attached()
    expect(page.get_by_text("SourceUnsupported")).to_have_count(0)
    page.get_by_role("radio", name="View").click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()
