"""How fast the viewer follows a person: ``python bench/viewer.py [--data ROOT] [--volume NAME]``.

Starts the application and a headless Chromium (software WebGL) at 1400 × 900 and measures, in the
page: the first full picture, z steps with and without prefetched neighbours until the new section
stands complete on the screen, requests and bytes per step, frames while panning and zooming, hover
to name, and the memory of page and server over 500 steps. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Locator, Page, sync_playwright

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

QUIET = {"STREAMLIT_SERVER_HEADLESS": "true", "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none"}

STEPS = """async (root, [moves, pause]) => {
  const { viewer } = root;
  const slice = viewer.slice("z");
  const times = [];
  for (const by of moves) {
    await new Promise((done) => setTimeout(done, pause));
    const start = performance.now();
    viewer.step(by);
    while (slice.target !== viewer.state.cross[0] || root.dataset.settled !== "true") {
      await new Promise((done) => requestAnimationFrame(done));
      if (!root.isConnected || performance.now() - start > 30000)
        throw new Error(`no picture of section ${slice.target} after ${times.length} steps`);
    }
    times.push(performance.now() - start);
  }
  return times;
}"""

FRAMES = """async (root, what) => {
  const { viewer } = root;
  const slice = viewer.slice("z");
  const times = [];
  viewer.state.gripped = true;
  for (let i = 0; i < 90; i += 1) {
    const start = performance.now();
    if (what === "pan") viewer.drag(slice, i < 45 ? 4 : -4, 2);
    else viewer.zoom(i < 45 ? 1.03 : 1 / 1.03, { slice, x: 200, y: 200 });
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - start);
  }
  viewer.state.gripped = false;
  return times;
}"""


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, int]]:
    """The application in a process of its own: its address and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
        cwd=ROOT,
        env=os.environ | QUIET | {"MITOEM_DATA": str(data.resolve())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(timeout=20)


def summary(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 1),
        "n": len(ordered),
    }


def counts(viewer: Locator) -> dict[str, int]:
    told: dict[str, int] = viewer.evaluate("(root) => ({ ...root.viewer.tiles.counts })")
    return told


def settle(page: Page) -> Locator:
    page.locator('.viewer[data-settled="true"]').wait_for(timeout=60_000)
    return page.locator(".viewer")


HEADING = """(() => { const look = () => document.querySelector("h1")
  ? performance.mark("heading") : requestAnimationFrame(look); look(); })()"""


def first_picture(page: Page, base: str, volume: str) -> dict[str, float]:
    """Seconds from navigation to a page's heading, and to the frame of the first full picture.

    Taken in the page: what plotly.js keeps busy after the picture is none of it. Medians of five.
    """

    def reach(path: str, mark: str) -> float:
        times = []
        for _ in range(5):
            page.goto("about:blank")
            page.goto(f"{base}/{path}?volume={volume}")
            found = page.wait_for_function(
                "(mark) => performance.getEntriesByName(mark)[0]?.startTime", arg=mark
            )
            times.append(found.json_value() / 1000)
        return round(statistics.median(times), 2)

    page.add_init_script(HEADING)
    reach("help", "heading")
    trivial, complete = reach("help", "heading"), reach("explore", "mitoem first picture")
    settle(page)
    return {"page_without_viewer_s": trivial, "viewer_complete_s": complete}


def stepping(viewer: Locator) -> dict[str, Any]:
    """z steps: neighbours fetched ahead, and jumps that nobody could foresee."""
    shape, z = viewer.evaluate("(r) => [r.viewer.state.info.shape, r.viewer.state.cross[0]]")
    ahead = [1] * min(25, shape[0] - 1 - z)
    before = counts(viewer)
    prefetched = viewer.evaluate(STEPS, [ahead, 500])
    after = counts(viewer)
    viewer.evaluate("(root) => root.viewer.tiles.clear()")
    jump = shape[0] // 3
    jumps = viewer.evaluate(STEPS, [[-jump, jump + 5, -jump - 1, jump - 7] * 4, 250])
    return {
        "prefetched": summary(prefetched),
        "not_prefetched": summary(jumps),
        "requests_per_step": round((after["requests"] - before["requests"]) / len(ahead), 1),
        "bytes_per_step": round((after["bytes"] - before["bytes"]) / len(ahead)),
    }


def hovering(page: Page, viewer: Locator) -> dict[str, float]:
    """From the pointer's move to the name under it, in frames of the page."""
    box = page.locator('.slice[data-axis="z"]').bounding_box()
    assert box is not None
    times = []
    for i in range(40):
        page.mouse.move(box["x"] + 120 + 9 * i, box["y"] + 150 + 7 * i)
        times.append(
            viewer.evaluate(
                """async (root) => { const { viewer } = root; const start = performance.now();
                if (viewer.pointer) viewer.point(viewer.pointer.slice, viewer.pointer);
                await new Promise((done) => requestAnimationFrame(done));
                return performance.now() - start; }"""
            )
        )
    return summary(times)


def memory(viewer: Locator, session: CDPSession, server: int, steps: int) -> dict[str, Any]:
    """Heap, tile cache and server memory, every hundred steps up and down the volume."""
    depth = viewer.evaluate("(root) => root.viewer.state.info.shape[0]")
    at = viewer.evaluate("(root) => root.viewer.state.cross[0]")
    rows = []
    direction = 1
    for start in range(0, steps + 1, 100):
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")
        tiles = viewer.evaluate("(root) => root.viewer.tiles.bytes")
        rows.append(
            {
                "steps": start,
                "heap_mb": round((heap["usedSize"] + heap.get("backingStorageSize", 0)) / 2**20, 1),
                "tiles_mb": round(tiles / 2**20, 1),
                "server_mb": round(psutil.Process(server).memory_info().rss / 2**20, 1),
            }
        )
        moves = []
        for _ in range(100 if start < steps else 0):
            direction = -direction if not 0 <= at + direction < depth else direction
            moves.append(direction)
            at += direction
        viewer.evaluate(STEPS, [moves, 0])
    return {"rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MITOEM_DATA", "data")))
    parser.add_argument("--volume", default="phantom-r")
    parser.add_argument("--zoom", default="1")
    parser.add_argument("--steps", type=int, default=500)
    asked = parser.parse_args()
    chromium = os.environ.get("MITOEM_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    with serving(asked.data) as (base, server), sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        result: dict[str, Any] = {"volume": asked.volume, "load": os.getloadavg()[0]}
        result["first_picture"] = first_picture(page, base, asked.volume)
        page.goto(f"{base}/explore?volume={asked.volume}&zoom={asked.zoom}&z=2")
        viewer = settle(page)
        time.sleep(2)
        result["z_step"] = stepping(viewer)
        for what in ("pan", "zoom"):
            times = viewer.evaluate(FRAMES, what)
            result[what] = summary(times) | {
                "frames_per_s": round(1000 / statistics.mean(times), 1)
            }
        result["hover"] = hovering(page, viewer)
        session = page.context.new_cdp_session(page)
        result["memory"] = memory(viewer, session, server, asked.steps)
        browser.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
