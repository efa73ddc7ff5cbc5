"""The network: a 3-D U-Net whose kernels follow the anisotropy of serial sections."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

WIDTHS = (24, 48, 64, 80, 96)
"""Channels per level, finest first; the finest level has half the pixels of the input."""

STEM = (1, 4, 4)
"""The first convolution, of stride 2 in the plane: full resolution is where time goes, and its
16 nm pixels still show membranes; the head's sub-pixel answers bring back the 8 nm grid."""

POOLS = ((1, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))
"""Shrinking between levels: in the plane until voxels are cubes (30 × 32 × 32 nm), then context."""

KERNELS = ((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3), (1, 3, 3))
"""Kernel per level; 1 in z at the finest, where neighbouring sections hardly correlate."""

DIVISORS = (2, 32, 32)
"""Input edges must be multiples of these (z, y, x)."""

CHANNELS = ("mask", "contour")
"""What the two output channels mean."""


def block(inputs: int, outputs: int, kernel: tuple[int, int, int]) -> nn.Sequential:
    """Two convolutions with batch normalisation, which folds into the weights on export."""
    pad = tuple(k // 2 for k in kernel)
    layers: list[nn.Module] = []
    for n in (inputs, outputs):
        layers += [
            nn.Conv3d(n, outputs, kernel, padding=pad, bias=False),
            nn.BatchNorm3d(outputs, momentum=0.05),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Grey patch (n, 1, z, y, x) in −1…1 → logits of mask and contour (n, 2, z, y, x).

    Skips are added, not concatenated: half the memory traffic where the time goes. About 1.5 M
    parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(1, WIDTHS[0], STEM, stride=(1, 2, 2), padding=(0, 1, 1), bias=False),
            nn.BatchNorm3d(WIDTHS[0], momentum=0.05),
            nn.ReLU(inplace=True),
        )
        inputs = (WIDTHS[0], *WIDTHS[:-1])
        self.down = nn.ModuleList(
            block(a, b, k) for a, b, k in zip(inputs, WIDTHS, KERNELS, strict=True)
        )
        self.pools = nn.ModuleList(nn.MaxPool3d(p) for p in POOLS)
        self.lift = nn.ModuleList(nn.Conv3d(b, a, 1) for a, b in pairwise(WIDTHS))
        self.grow = nn.ModuleList(
            nn.Upsample(scale_factor=tuple(map(float, p)), mode="nearest") for p in POOLS
        )
        self.up = nn.ModuleList(
            block(w, w, k) for w, k in zip(WIDTHS[:-1], KERNELS[:-1], strict=True)
        )
        self.head = nn.Conv3d(WIDTHS[0], 4 * len(CHANNELS), (1, 3, 3), padding=(0, 1, 1))

    def forward(self, grey: Tensor) -> Tensor:
        """Logits of the same z, y, x as the input; edges must be multiples of DIVISORS."""
        x = self.down[0](self.stem(grey))
        skips = []
        for pool, level in zip(self.pools, self.down[1:], strict=True):
            skips.append(x)
            x = level(pool(x))
        for skip, lift, grow, level in reversed(
            list(zip(skips, self.lift, self.grow, self.up, strict=True))
        ):
            x = level(grow(lift(x)) + skip)
        return unfold(self.head(x))


def unfold(x: Tensor) -> Tensor:
    """Four answers per pixel → twice the pixels: (n, 4 c, z, y, x) → (n, c, z, 2y, 2x)."""
    n, _, z, ny, nx = x.shape
    parts = x.view(n, len(CHANNELS), 2, 2, z, ny, nx).permute(0, 1, 4, 5, 2, 6, 3)
    return parts.reshape(n, len(CHANNELS), z, 2 * ny, 2 * nx)


class Probabilities(nn.Module):
    """The network as it is exported: probabilities instead of logits."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, grey: Tensor) -> Tensor:
        """Probabilities 0…1 of mask and contour, (n, 2, z, y, x)."""
        return torch.sigmoid(self.network(grey))
