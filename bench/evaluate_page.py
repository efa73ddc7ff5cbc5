"""What a person waits for on the Evaluate page: the next error, other thresholds.

    python -m bench.evaluate_page [--data ROOT] [--errors 2000]

Copies phantom-h to a root of its own, gives it a prediction with so many errors, and walks through
all of them in a headless Chromium: milliseconds from the key to the drawn pictures, one after
another and with the next key at once; memory of page and server on the way. Then runs the model on
the proposed crop, and moves a threshold: seconds to the new overlay and to the new scores. Prints
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

import mitoem
from bench.viewer import FLAGS, serving
from mitoem import jobs

STEP = """() => new Promise((done) => {
  const root = document.querySelector(".mistakes"), before = root.dataset.shown;
  const began = performance.now();
  new MutationObserver((_, seen) => {
    if (root.dataset.shown === before) return;
    seen.disconnect();
    requestAnimationFrame(() => done(performance.now() - began));
  }).observe(root, { attributes: true, attributeFilter: ["data-shown"] });
  root.dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true }));
})"""


def spoil(root: Path, wanted: int) -> int:
    """Labels ``spoilt``: the truth without every third instance, and invented boxes; its errors."""
    volume = mitoem.open_volume("phantom-h", data=root)
    truth = volume.read(layer="truth")
    found = np.where(truth % 3 == 1, 0, truth)
    rng = np.random.default_rng(0)
    for one in range(wanted):
        z, y, x = (int(rng.integers(0, n - 8)) for n in truth.shape)
        part = found[z : z + 4, y : y + 8, x : x + 8]
        if not part.any() and not truth[z : z + 4, y : y + 8, x : x + 8].any():
            part[...] = 10_000 + one
    mitoem.add_labels("phantom-h", "spoilt", found, data=root)
    fresh = mitoem.open_volume("phantom-h", data=root)
    versions = [fresh.version(one) for one in ("truth", "spoilt")]
    request = {"volume": "phantom-h", "truth": "truth", "prediction": "spoilt",
               "versions": versions, "data": str(root)}  # fmt: skip
    run = jobs.submit(root, "evaluate", request)
    assert jobs.wait(root, run, seconds=300).state == "done"
    scores = mitoem.evaluate("phantom-h/truth", "phantom-h/spoilt", data=root)
    return len(scores.to_json()["errors"])


def walk(page: Page, server: psutil.Process, count: int) -> dict[str, Any]:
    """Step through the errors; ms, and memory in MB at a tenth of the way and at its end."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def memory() -> tuple[float, float]:
        session.send("HeapProfiler.collectGarbage")
        told = {
            one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
        }
        return told["JSHeapUsedSize"] / 1e6, server.memory_info().rss / 1e6

    times, early = [], (0.0, 0.0)
    for number in range(count):
        times.append(page.evaluate(STEP))
        if number == count // 10:
            early = memory()
    late = memory()
    return {
        "steps": count,
        "median_ms": statistics.median(times),
        "p95_ms": statistics.quantiles(times, n=20)[-1],
        "heap_mb": [round(early[0], 1), round(late[0], 1)],
        "server_mb": [round(early[1]), round(late[1])],
    }


def thresholds(page: Page, base: str, repeats: int) -> list[float]:
    """Seconds from a moved threshold to the overlay and scores of the new run."""
    page.goto(f"{base}/inference?volume=phantom-h")
    button = page.get_by_role("button", name="Run", exact=True)
    button.wait_for()
    page.wait_for_timeout(2500)
    button.click()
    page.locator(".stack[data-ready]").wait_for(timeout=120_000)
    seconds = []
    for _ in range(repeats):
        page.wait_for_timeout(2500)
        before, old = page.url, page.locator(".stack").get_attribute("data-ready")
        thumb = page.get_by_role("slider", name="Foreground from")
        began = time.perf_counter()
        thumb.press("ArrowRight")
        page.wait_for_url(lambda url, before=before: url != before)
        page.locator(f'.stack[data-ready]:not([data-ready="{old}"])').wait_for()
        page.get_by_test_id("stMetric").first.wait_for()
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--errors", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(asked.data / "phantom-h", root / "phantom-h")
        os.environ["MITOEM_DATA"] = str(root)
        count = spoil(root, asked.errors)
        with serving(root) as (base, pid), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{base}/evaluate?volume=phantom-h&prediction=spoilt")
            page.locator(".mistakes[data-shown]").wait_for(timeout=60_000)
            page.wait_for_timeout(3000)
            walked = walk(page, psutil.Process(pid), min(count, 2000) - 1)
            moved = thresholds(page, base, asked.repeats)
            browser.close()
        jobs.stop_worker(root)
    result = {"errors": count, "next_error": walked, "threshold_s": moved,
              "threshold_median_s": statistics.median(moved)}  # fmt: skip
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
