"""What a person waits for on the Instances page of a volume with very many instances.

    python -m bench.instances_page [--rows 25000] [--repeats 7]

Makes and measures a volume of so many small bodies, starts the application and a headless
Chromium, and times: from the end of a box drawn on each kind of plot to the frame that shows the
rows that it keeps in the table. Prints one JSON object: median and worst of each, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

import mitoem
from bench.viewer import FLAGS, serving

CELL = (8, 30, 30)
"""Voxels of the cell that each body has for itself."""


def make(root: Path, rows: int) -> None:
    """A volume ``many`` with as many bodies as asked for, each an ellipsoid of a random size."""
    rng = np.random.default_rng(3)
    side = round((rows / 15) ** 0.5)
    shape = (15 * CELL[0], side * CELL[1], -(-rows // (15 * side)) * CELL[2])
    labels = np.zeros(shape, np.uint32)
    z, y, x = np.ogrid[tuple(slice(n) for n in CELL)]
    corners = np.ndindex(*(n // c for n, c in zip(shape, CELL, strict=True)))
    for number, corner in zip(range(1, rows + 1), corners, strict=False):
        half = rng.uniform(0.25, 0.48, 3) * CELL
        inside = sum(
            ((k - (n - 1) / 2) / h) ** 2 for k, n, h in zip((z, y, x), CELL, half, strict=True)
        )
        part = labels[tuple(slice(a * c, (a + 1) * c) for a, c in zip(corner, CELL, strict=True))]
        part[inside <= 1] = number
    np.savez(root / "labels.npz", labels=labels)
    np.savez(root / "image.npz", image=rng.integers(60, 200, shape).astype(np.uint8))
    mitoem.ingest(
        "many", root / "image.npz", labels=[root / "labels.npz"], voxel_size=(30, 8, 8), data=root
    )
    for name in ("labels.npz", "image.npz"):
        (root / name).unlink()


WATCH = """() => {
  const grid = '[data-testid="stDataFrame"]';
  const length = () => [...document.querySelectorAll(`${grid} .dvn-scroller div`)]
    .map((one) => one.style.height).join();
  const told = () => document.querySelector(`${grid} table`)?.ariaRowCount;
  const before = [length(), told()];
  window.took = {};
  window.addEventListener("mouseup", () => {
    const began = performance.now();
    const mark = (name) => { window.took[name] ??= performance.now() - began; };
    const watch = new MutationObserver(() => {
      if (!watch.seen && length() !== before[0]) {
        watch.seen = true;
        requestAnimationFrame(() => setTimeout(() => mark("shown")));
      }
      if (told() === before[1] || told() === undefined) return;
      mark("told");
      watch.disconnect();
    });
    watch.observe(document, { subtree: true, childList: true, attributes: true });
  }, { once: true, capture: true });
}"""
"""Times in the page, from the button's release: questions from outside would take the page's own
time. ``shown``: the frame after the one in which the table, a canvas, has the length of its new
rows, which it draws in the same step. ``told``: when the table beside it, for screen readers, has
their count; the grid holds that back for 0.2 s."""


def took(page: Page) -> dict[str, float]:
    """Milliseconds, once they are known and the page is at rest."""
    known = "window.took.shown && window.took.told"
    page.wait_for_function(known, polling=250, timeout=30_000)
    times: dict[str, float] = page.evaluate("window.took")
    page.wait_for_timeout(1000)
    return times


def box(page: Page, number: int) -> dict[str, float]:
    """Draw a box, each time another one; milliseconds until the table holds its rows."""
    area = page.locator(".mitoem-plot .nsewdrag").first.bounding_box()
    assert area is not None
    page.evaluate(WATCH)
    share = 0.35 + 0.03 * (number % 10)
    page.mouse.move(area["x"] + area["width"] * share, area["y"] + 12)
    page.mouse.down()
    far = (area["x"] + area["width"] * (share + 0.3), area["y"] + area["height"] - 12)
    page.mouse.move(*far, steps=4)
    page.mouse.up()
    return took(page)


def told(times: list[dict[str, float]]) -> dict[str, dict[str, int]]:
    """Median and worst, of what is seen and of what a screen reader is told."""
    found = {}
    for name in ("shown", "told"):
        every = [one[name] for one in times]
        found[name] = {"median": round(statistics.median(every)), "worst": round(max(every))}
    return found


def walk(page: Page, base: str, repeats: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for plot in ("Histogram", "Scatter", "ECDF"):
        page.goto(f"{base}/instances?volume=many&cut=0&plot={plot}")
        page.locator(".mitoem-plot[data-drawn]").wait_for(timeout=60_000)
        page.wait_for_timeout(3000)
        result[f"box on {plot.lower()}, ms"] = told([box(page, n) for n in range(repeats)])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--data", type=Path, help="a root that holds the volume already")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = asked.data or Path(folder)
        if not (root / "many").is_dir():
            make(root, asked.rows)
        rows = len(mitoem.table("many", data=root))
        os.environ["MITOEM_DATA"] = str(root)
        with serving(root) as (base, _), sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=os.environ.get("MITOEM_CHROMIUM", "/usr/bin/chromium"), args=FLAGS
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            result = {"rows": rows} | walk(page, base, asked.repeats)
            browser.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
