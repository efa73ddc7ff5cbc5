"""What a link into Neuroglancer names answers to Neuroglancer's page."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

import mitoem
from mitoem.neuroglancer import VIEWER


@pytest.mark.parametrize("labels", ["truth", "run-1"])
def test_the_sources_of_a_link_answer_to_another_site(
    labels: str, root: Path, address: str
) -> None:
    link = mitoem.neuroglancer_link("wide", f"labels={labels}", base_url=address, data=root)
    layers = json.loads(unquote(link.partition("#!")[2]))["layers"]
    assert len(layers) == 2
    origin = {"Origin": VIEWER}
    with httpx.Client(headers=origin) as browser:
        for layer in layers:
            place, _, form = layer["source"].partition("|")
            assert form == "zarr3:"
            group = browser.get(f"{place}zarr.json")
            (multiscale,) = group.json()["attributes"]["ome"]["multiscales"]
            for dataset in multiscale["datasets"]:
                array = browser.get(f"{place}{dataset['path']}/zarr.json")
                assert array.json()["node_type"] == "array"
                shard = f"{place}{dataset['path']}/c/0/0/0"
                # As Neuroglancer does it: the size first, then the shard's index from its end.
                size = int(browser.head(shard).headers["content-length"])
                asked = {"Range": f"bytes={size - 20}-{size - 1}"}
                index = browser.get(shard, headers=asked)
                assert index.status_code == 206 and len(index.content) == 20
                for answer in (group, array, index):
                    assert answer.headers["access-control-allow-origin"] == "*"
        absent = browser.get(f"{layers[0]['source'].partition('|')[0]}0/c/9/9/9")
    assert absent.status_code == 404
    assert absent.headers["access-control-allow-origin"] == "*"
