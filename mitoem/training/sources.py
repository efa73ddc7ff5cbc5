"""The labelled volumes that the model learns from, each with its voxel size and its weight."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SEEDS = 20_000
"""Voxels remembered per source: of mitochondria, to centre half of the patches on, and of dark
matter that is none (myelin, lysosomes, dark cytoplasm), the hardest negatives."""

DARK_PERCENTILE = 6.0
"""Blocks of 4 × 4 pixels whose mean is below this percentile are dark matter."""


@dataclass(frozen=True, slots=True)
class Source:
    """Grey sections (z, y, x) with labels of the same shape and the share of patches drawn.

    ``labelled`` says, per section, whether its labels may be learned from; ``percentiles`` are
    the grey values at 1 % and 99 %; ``linked`` says whether an id is one instance through all
    sections (false where ids are profiles of single sections).
    """

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    section_nm: float
    pixel_nm: float
    labelled: NDArray[np.bool_]
    share: float
    percentiles: tuple[float, float]
    seeds: NDArray[np.int32]
    dark: NDArray[np.int32]
    linked: bool = True


def data_root() -> Path:
    """Where the real volumes lie: $MITOEM_EM, else ../shared/data/em."""
    return Path(os.environ.get("MITOEM_EM", "../shared/data/em"))


def real_sources(root: Path) -> list[Source]:
    """Every labelled real volume but the validation stack; FAFB's pixel is taken as 10 nm."""
    fafb = _read(root / "fafb_2d.npz", (40.0, 10.0), share=0.18)
    lucchi = _read(root / "lucchi_train_5x8x8.npz", (5.0, 8.0), share=0.14)
    return [
        lucchi,
        *_turned(lucchi, share=0.05),
        _read(root / "cdeep3m_sbem_z20_39.npz", (40.0, 5.9), share=0.32),
        _read(root / "snemi3d_z41_57.npz", (30.0, 6.0), share=0.26),
        replace(fafb, linked=False),
    ]


def phantom_sources(*, share: float, seeds: tuple[int, ...] = (101, 102, 103)) -> list[Source]:
    """Synthetic volumes of both kinds; other seeds than those of the demo volumes."""
    from mitoem.phantom import make

    made = []
    for seed in seeds:
        for kind in ("r", "h"):
            phantom = make(kind, shape=(40, 512, 512), seed=seed)
            made.append(
                build(
                    f"phantom-{kind}-{seed}",
                    phantom.image,
                    phantom.labels.astype(np.uint16),
                    (30.0, 8.0),
                    share=share / (2 * len(seeds)),
                )
            )
    return made


def build(
    name: str,
    image: NDArray[np.uint8],
    labels: NDArray[np.uint16],
    voxel_nm: tuple[float, float],
    *,
    share: float,
    labelled: NDArray[np.bool_] | None = None,
) -> Source:
    """A source from arrays; ``voxel_nm`` is (section thickness, pixel)."""
    if labelled is None:
        labelled = np.ones(len(image), bool)
    known = labels * labelled[:, None, None].astype(labels.dtype)
    places = np.argwhere(known > 0).astype(np.int32)
    low, high = np.percentile(image[:: max(1, len(image) // 16)], (1, 99))
    return Source(
        name,
        image,
        labels,
        *voxel_nm,
        labelled,
        share,
        (float(low), float(high)),
        _some(places),
        _some(_dark_places(image, labels, labelled)),
    )


def _some(places: NDArray[np.int32]) -> NDArray[np.int32]:
    return places[np.random.default_rng(0).integers(0, len(places), SEEDS)]


def _dark_places(
    image: NDArray[np.uint8], labels: NDArray[np.uint16], labelled: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Centres of dark blocks outside the labels, in voxels."""
    z, y, x = image.shape
    ny, nx = y // 4, x // 4
    blocks = (slice(None), slice(ny * 4), slice(nx * 4))
    mean = image[blocks].reshape(z, ny, 4, nx, 4).mean((2, 4), dtype=np.float32)
    free = labels[blocks].reshape(z, ny, 4, nx, 4).max((2, 4)) == 0
    dark = (mean < np.percentile(mean, DARK_PERCENTILE)) & free & labelled[:, None, None]
    return (np.argwhere(dark) * (1, 4, 4) + (0, 2, 2)).astype(np.int32)


def without(sources: list[Source], name: str) -> list[Source]:
    """The sources whose name does not start with ``name``, for leave-one-source-out runs."""
    return [s for s in sources if not s.name.startswith(name)]


def _read(path: Path, voxel_nm: tuple[float, float], *, share: float) -> Source:
    with np.load(path) as data:
        image, labels = data["image"], data["labels"]
        labelled = None
        if "labelled_slices" in data.files:
            labelled = np.zeros(len(image), bool)
            labelled[data["labelled_slices"]] = True
    return build(path.stem, image, labels, voxel_nm, share=share, labelled=labelled)


def _turned(source: Source, *, share: float) -> list[Source]:
    """An almost isotropic volume seen along its other two axes, as 8 nm sections."""
    factors = (source.section_nm / source.pixel_nm, 1, 1)
    image = ndimage.zoom(source.image, factors, order=1, grid_mode=True, mode="nearest")
    labels = ndimage.zoom(source.labels, factors, order=0, grid_mode=True, mode="nearest")
    voxel = (source.pixel_nm, source.pixel_nm)
    made = []
    for axis in (1, 2):
        turned = build(
            f"{source.name}-axis{axis}",
            np.ascontiguousarray(np.moveaxis(image, axis, 0)),
            np.ascontiguousarray(np.moveaxis(labels, axis, 0)),
            voxel,
            share=share,
        )
        made.append(replace(turned, percentiles=source.percentiles))
    return made
