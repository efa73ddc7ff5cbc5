"""Random views of a source: the variety that lets a small model travel to other tissue.

Geometry: section thickness 25–50 nm, pixel size 0.75–1.35 ×, rotation, stretch, elastic bending,
shifted, repeated and missing sections. Grey: blur, sharpening, local contrast, gamma, contrast
and brightness per patch and per section, shading, noise, dirt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from mitoem.training.sheaths import lay
from mitoem.training.sources import Source

PATCH = (8, 192, 192)
"""Voxels of a training patch (z, y, x)."""

PIXEL_NM = 8.0
SECTION_NM = (25.0, 50.0)
SCALE = (0.75, 1.35)


@dataclass(frozen=True, slots=True)
class Patch:
    """Grey (z, y, x) in −1…1, targets (mask and contour; z, y, x), weight per section (z)."""

    grey: Tensor
    target: Tensor
    weight: Tensor


def draw(source: Source, rng: Generator, *, dark: float = 0.0, sheaths: float = 0.0) -> Patch:
    """One random patch of a source; the same generator state gives the same patch.

    ``dark`` is the share of patches centred on dark matter, of those not on a mitochondrion;
    ``sheaths`` the share that drawn myelin is laid over.
    """
    sections, thick = _sections(source, rng)
    scale = float(np.exp(rng.uniform(*np.log(SCALE))))
    ratio = PIXEL_NM * scale / source.pixel_nm
    centre = _centre(source, sections, rng, ratio=ratio, dark=dark)
    image, ids = _cut(source, sections, thick, centre, ratio)
    grey = torch.from_numpy(image)
    if ratio > 1.2:
        grey = smooth(grey, rng.uniform(0.2, 0.5) * ratio)
    grid = _grid(image.shape, ratio, rng)
    grey = _sample(grey, grid, "bilinear")
    known = _sample(torch.from_numpy(ids), grid, "nearest")
    low, high = source.percentiles
    if rng.random() < 0.5:
        low, high = np.percentile(image, (1, 99))
    grey = ((grey - low) / max(high - low, 1.0)).clamp_(-0.2, 1.2)
    if sheaths > 0 and rng.random() < sheaths:
        grey, known = lay(grey, known, grey - smooth(grey, 1.5), rng)
    target = targets(known, linked=source.linked)
    grey = repaint(grey, rng)
    weight = torch.from_numpy(source.labelled[sections].astype(np.float32))
    return Patch(grey * 2 - 1, target, weight)


def targets(ids: Tensor, *, linked: bool = True) -> Tensor:
    """Ids (z, y, x) → mask and contour (2, z, y, x).

    Contour: two pixels to either side of an outline in the plane, and where two different
    instances meet from section to section, so that touching ones come apart in the decoding.
    """
    high = F.max_pool2d(ids, 5, 1, 2)
    low = -F.max_pool2d(-ids, 5, 1, 2)
    contour = high != low
    if linked:
        meet = (ids[1:] != ids[:-1]) & (ids[1:] > 0) & (ids[:-1] > 0)
        contour[1:] |= meet
        contour[:-1] |= meet
    return torch.stack((ids > 0, contour)).float()


def _sections(source: Source, rng: Generator) -> tuple[NDArray[np.int64], int]:
    """Which sections make the patch, and over how many each is averaged."""
    depth, count = PATCH[0], len(source.image)
    step = max(1, round(float(rng.uniform(*SECTION_NM)) / source.section_nm))
    thick = int(rng.integers(1, step + 1))
    sparse = not bool(source.labelled.all())
    span = (depth - 1) * step
    anchor = int(rng.choice(np.flatnonzero(source.labelled)))
    at = int(rng.integers(0, depth)) if sparse else depth // 2
    start = anchor - at * step
    if span < count:
        start = min(max(start, 0), count - 1 - span)
    picked = start + step * np.arange(depth)
    if rng.random() < (0.6 if sparse else 0.12):
        flat = rng.random(depth) < (rng.random() if sparse else 1.0)
        picked[flat] = anchor
    elif rng.random() < 0.2:
        j = int(rng.integers(1, depth))
        picked[j:] += step if rng.random() < 0.5 else -step
    if sparse and anchor not in picked:
        picked[at] = anchor
    if rng.random() < 0.5:
        picked = picked[::-1]
    period = max(1, 2 * (count - 1))
    folded = np.abs((picked + period) % period)
    return np.where(folded >= count, period - folded, folded), thick


def _centre(
    source: Source, sections: NDArray[np.int64], rng: Generator, *, ratio: float, dark: float
) -> tuple[int, int]:
    """Half of the patches are centred on a mitochondrion, the others on dark matter or anywhere."""
    _, ny, nx = source.image.shape
    half = min(PATCH[1] * ratio / 2, ny / 2 - 1, nx / 2 - 1)
    seeds = source.seeds if rng.random() < 0.5 else None
    if seeds is None and dark > 0 and rng.random() < dark:
        seeds = source.dark
    if seeds is not None:
        near = seeds[np.isin(seeds[:, 0], sections)]
        if len(near):
            _, y, x = near[int(rng.integers(len(near)))]
            wobble = rng.uniform(-half / 2, half / 2, 2)
            y, x = float(y) + wobble[0], float(x) + wobble[1]
            return int(np.clip(y, half, ny - half)), int(np.clip(x, half, nx - half))
    return int(rng.uniform(half, ny - half)), int(rng.uniform(half, nx - half))


def _cut(
    source: Source,
    sections: NDArray[np.int64],
    thick: int,
    centre: tuple[int, int],
    ratio: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The square around the centre, large enough for any rotation, edges mirrored."""
    reach = int(PATCH[1] * ratio * 0.85) + 12
    _, ny, nx = source.image.shape
    rows = _mirror(np.arange(centre[0] - reach, centre[0] + reach), ny)
    cols = _mirror(np.arange(centre[1] - reach, centre[1] + reach), nx)
    count = len(source.image)
    image = np.zeros((len(sections), len(rows), len(cols)), np.float32)
    for i, z in enumerate(sections):
        first = int(np.clip(z - thick // 2, 0, count - thick))
        for k in range(first, first + thick):
            image[i] += source.image[k][np.ix_(rows, cols)]
    ids = source.labels[np.ix_(sections, rows, cols)].astype(np.float32)
    return image / thick, ids


def _mirror(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    folded = np.abs(index) % (2 * (count - 1))
    return np.where(folded >= count, 2 * (count - 1) - folded, folded)


def _grid(shape: tuple[int, ...], ratio: float, rng: Generator) -> Tensor:
    """Sampling places (z, y, x, 2) in −1…1 of the cut: one affine map, bent and shifted."""
    depth, ny, nx = PATCH
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.7 else np.pi / 2 * rng.integers(4)
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    flip = 1 if rng.random() < 0.5 else -1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag([stretch * flip, 1 / stretch]) * ratio
    y, x = torch.meshgrid(
        torch.arange(ny, dtype=torch.float32) - (ny - 1) / 2,
        torch.arange(nx, dtype=torch.float32) - (nx - 1) / 2,
        indexing="ij",
    )
    flat = torch.stack((x, y), -1) @ torch.from_numpy(turn.T.astype(np.float32))
    if rng.random() < 0.3:
        knots = rng.normal(0, rng.uniform(1, 5) * ratio, (1, 2, 5, 5)).astype(np.float32)
        bend = F.interpolate(torch.from_numpy(knots), (ny, nx), mode="bicubic")
        flat = flat + bend[0].permute(1, 2, 0)
    shifts = np.zeros((depth, 2), np.float32)
    if rng.random() < 0.4:
        shifts += rng.normal(0, rng.uniform(0.3, 2) * ratio, (depth, 2)).astype(np.float32)
    if rng.random() < 0.12:
        shifts[int(rng.integers(1, depth)) :] += rng.uniform(-10, 10, 2).astype(np.float32) * ratio
    grid = flat[None] + torch.from_numpy(shifts)[:, None, None, :]
    extent = torch.tensor([shape[2] / 2, shape[1] / 2])
    return grid / extent


def _sample(planes: Tensor, grid: Tensor, mode: str) -> Tensor:
    picked = F.grid_sample(
        planes[:, None], grid, mode=mode, padding_mode="reflection", align_corners=False
    )
    return picked[:, 0]


def smooth(planes: Tensor, sigma: float) -> Tensor:
    """Gaussian blur in the plane, (z, y, x), edges mirrored."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(planes[:, None], (reach, reach, reach, reach), mode="reflect")
    rows = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1))[:, 0]


def repaint(grey: Tensor, rng: Generator) -> Tensor:
    """Random grey-value changes of a patch in about 0…1; the answer is clipped to 0…1."""
    grey = _focus(grey, rng)
    if rng.random() < 0.2:
        grey = _even_contrast(grey, rng)
    if rng.random() < 0.6:
        gamma = float(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
        grey = grey.clamp(0, 1) ** gamma
    if rng.random() < 0.6:
        grey = (grey - 0.5) * rng.uniform(0.6, 1.5) + 0.5 + rng.normal(0, 0.12)
    grey = _uneven_sections(grey, rng)
    if rng.random() < 0.25:
        knots = torch.from_numpy(rng.normal(0, 0.12, (1, 1, 3, 3)).astype(np.float32))
        grey = grey + F.interpolate(knots, grey.shape[1:], mode="bicubic")[0]
    if rng.random() < 0.5:
        grain = torch.from_numpy(rng.standard_normal(grey.shape, dtype=np.float32))
        if rng.random() < 0.4:
            grain = smooth(grain, 0.7) * 2
        grey = grey + grain * rng.uniform(0.01, 0.14)
    return _dirt(grey, rng).clamp(0, 1)


def _focus(grey: Tensor, rng: Generator) -> Tensor:
    choice = rng.random()
    if choice < 0.25:
        return smooth(grey, rng.uniform(0.4, 1.5))
    if choice < 0.55:
        fine = grey - smooth(grey, rng.uniform(0.7, 2.0))
        return grey + fine * rng.uniform(0.5, 2.5)
    return grey


def _even_contrast(grey: Tensor, rng: Generator) -> Tensor:
    """Local contrast normalisation, as CLAHE-treated volumes show it."""
    sigma = rng.uniform(10, 24)
    mean = smooth(grey, sigma)
    spread = smooth((grey - mean) ** 2, sigma).sqrt() + 0.05
    even = (grey - mean) / spread * 0.2 + 0.5
    return torch.lerp(grey, even, float(rng.uniform(0.4, 1.0)))


def _uneven_sections(grey: Tensor, rng: Generator) -> Tensor:
    depth = len(grey)
    if rng.random() < 0.5:
        gain = 1 + rng.normal(0, rng.uniform(0.02, 0.15), (depth, 1, 1)).astype(np.float32)
        lift = rng.normal(0, rng.uniform(0.01, 0.1), (depth, 1, 1)).astype(np.float32)
        grey = (grey - 0.5) * torch.from_numpy(gain) + 0.5 + torch.from_numpy(lift)
    if rng.random() < 0.15:
        j = int(rng.integers(depth))
        grey = grey.clone()
        grey[j] = smooth(grey[j : j + 1], rng.uniform(1, 3))[0]
    if rng.random() < 0.08:
        j = int(rng.integers(depth))
        grey = grey.clone()
        grey[j] = float(rng.choice([0.0, 0.5, 1.0]))
    return grey


def _dirt(grey: Tensor, rng: Generator) -> Tensor:
    """Dark specks on single sections: stain precipitate, not mitochondria."""
    if rng.random() > 0.15:
        return grey
    grey = grey.clone()
    for _ in range(int(rng.integers(1, 5))):
        j, y, x = (int(rng.integers(n)) for n in grey.shape)
        reach = int(rng.integers(2, 9))
        grey[j, max(0, y - reach) : y + reach, max(0, x - reach) : x + reach] *= rng.uniform(0, 0.5)
    return grey
