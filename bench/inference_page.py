"""What a person waits for on the Inference page, and what others feel meanwhile.

    python -m bench.inference_page [--data ROOT] [--volume NAME] [--repeats 5]

Starts the application and a headless Chromium, presses Run on the proposed 32 × 256 × 256 crop and
waits for the overlay; then fetches tiles from random places, idle and while runs are under way.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

import mitoem
from bench.viewer import FLAGS, serving
from mitoem import jobs

CROP = "16:48,384:640,384:640"


def click_to_overlay(page: Page, base: str, volume: str) -> float:
    """Seconds from Run to the drawn overlay, on a page that is at rest."""
    page.goto(f"{base}/inference?volume={volume}")
    button = page.get_by_role("button", name="Run", exact=True)
    button.wait_for()
    page.wait_for_timeout(2500)
    began = time.perf_counter()
    button.click()
    page.locator(".stack[data-ready]").wait_for(timeout=60_000)
    return time.perf_counter() - began


def tile_times(base: str, volume: str, count: int, *, seed: int) -> list[float]:
    """Milliseconds of image tiles from random places, one after another on one connection."""
    info = mitoem.open_volume(volume).info
    rng, times = random.Random(seed), []
    rows, columns = (-(-n // 512) for n in info.shape[1:])
    with httpx.Client() as client:
        for number in range(count):
            z, row, column = (rng.randrange(n) for n in (info.shape[0], rows, columns))
            address = f"{base}/api/v1/volumes/{volume}/tiles/image/z/0/{z}/{row}/{column}"
            began = time.perf_counter()
            client.get(address, params={"v": f"{seed}-{number}"}).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    return times


def meanwhile(base: str, volume: str, root: Path) -> dict[str, Any]:
    """Median tile, idle and while the worker predicts, and their ratio."""
    idle = statistics.median(tile_times(base, volume, 100, seed=1))
    request = {"volume": volume, "box": "0:64,0:1024,0:1024"}
    run = jobs.submit(root, "predict", request)
    while jobs.status(root, run).state == "queued" or jobs.status(root, run).progress < 0.05:
        time.sleep(0.02)
    busy = statistics.median(tile_times(base, volume, 100, seed=2))
    still = jobs.status(root, run).state
    cancelled = time.perf_counter()
    jobs.cancel(root, run)
    jobs.wait(root, run, seconds=60)
    seconds = time.perf_counter() - cancelled
    return {"idle_ms": idle, "busy_ms": busy, "ratio": busy / idle, "run_was": still,
            "cancel_seconds": seconds}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--volume", default="phantom-h")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    root = asked.data.resolve()
    os.environ["MITOEM_DATA"] = str(root)
    os.environ["MITOEM_TILE_CACHE_BYTES"] = "0"
    with serving(root) as (base, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        seconds = [click_to_overlay(page, base, asked.volume) for _ in range(asked.repeats)]
        browser.close()
        result = {"crop": CROP, "click_to_overlay_s": seconds,
                  "median_s": statistics.median(seconds),
                  "tiles": meanwhile(base, asked.volume, root)}  # fmt: skip
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
