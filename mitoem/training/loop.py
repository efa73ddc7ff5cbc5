"""Training: batches from a worker process, bf16 where it is faster, averaged weights, resume.

Every batch depends on the seed and its step number alone, and the learning rate is constant
until the last 30 % of the steps: a run that is continued, or whose length is settled late, is
the run that one command would have made.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mitoem.inference.model import best_precision
from mitoem.training.augment import draw
from mitoem.training.network import UNet
from mitoem.training.sources import (
    Source,
    data_root,
    phantom_sources,
    real_sources,
    without,
)

HALF = best_precision() == "bf16"
"""Whether the passes run in bf16."""

Parts = dict[str, nn.Module | torch.optim.Optimizer]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides a run; stored in its checkpoints and in the model card."""

    steps: int = 3000
    seed: int = 7
    batch: int = 4
    rate: float = 2e-3
    decay_share: float = 0.3
    weight_decay: float = 1e-4
    average: float = 0.995
    phantoms_from: int = 0
    phantom_share: float = 0.2
    dark_from: int = 0
    dark_share: float = 0.5
    sheaths_from: int = 0
    sheath_share: float = 0.35
    leave_out: str = ""


def sources_at(step: int, real: list[Source], made: list[Source], at: Settings) -> list[Source]:
    """The sources in use at a step, shares summing to one."""
    used = real + (made if step >= at.phantoms_from else [])
    total = sum(s.share for s in used)
    return [replace(s, share=s.share / total) for s in used]


class Batches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Batch number ``step`` of a run: grey, targets (mask, contour), weights."""

    def __init__(self, settings: Settings) -> None:
        real = without(real_sources(data_root()), settings.leave_out or "\0")
        self.settings = settings
        self.real = real
        self.made: list[Source] = []
        if settings.phantoms_from < settings.steps and settings.phantom_share > 0:
            self.made = phantom_sources(share=settings.phantom_share)

    def __len__(self) -> int:
        return self.settings.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        used = sources_at(step, self.real, self.made, self.settings)
        shares = np.array([s.share for s in used])
        rng = np.random.default_rng((self.settings.seed, step))
        dark = self.settings.dark_share if step >= self.settings.dark_from else 0.0
        sheaths = self.settings.sheath_share if step >= self.settings.sheaths_from else 0.0
        patches = [
            draw(used[int(rng.choice(len(used), p=shares))], rng, dark=dark, sheaths=sheaths)
            for _ in range(self.settings.batch)
        ]
        grey = torch.stack([p.grey for p in patches])[:, None]
        target = torch.stack([p.target for p in patches])
        weight = torch.stack([p.weight for p in patches])[:, None, :, None, None]
        return grey, target, weight


def loss_of(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy plus soft Dice over both channels, on labelled sections only."""
    weight = weight.expand_as(logits)
    total = weight.sum().clamp(min=1)
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum") / total
    chance = torch.sigmoid(logits) * weight
    axes = (0, 2, 3, 4)
    both = (chance * target).sum(axes)
    either = chance.sum(axes) + (target * weight).sum(axes)
    dice = 1 - (2 * both + 1) / (either + 1)
    return entropy + 0.5 * dice.mean()


class Halves:
    """The network on several threads, each with a share of the batch and a copy of the weights.

    They wait for one another once a step, not once a layer: on a machine that others use too,
    that is several times faster than layers that are split over threads.
    """

    def __init__(self, network: UNet, count: int) -> None:
        self.networks = [network, *(copy.deepcopy(network) for _ in range(count - 1))]
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def gradients(self, grey: Tensor, target: Tensor, weight: Tensor) -> float:
        """Put the mean gradient of all shares into the first network; returns the mean loss."""
        first, *others = self.networks
        for other in others:
            other.load_state_dict(first.state_dict())
        parts = (t.chunk(len(self.networks)) for t in (grey, target, weight))
        losses = list(self.pool.map(_share, self.networks, *parts))
        for same in zip(*(n.parameters() for n in self.networks), strict=True):
            same[0].grad = torch.stack([p.grad for p in same]).mean(0)
        return sum(losses) / len(losses)


def _share(network: UNet, grey: Tensor, target: Tensor, weight: Tensor) -> float:
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
        logits = network(grey.to(memory_format=torch.channels_last_3d))
    loss = loss_of(logits.float(), target, weight)
    loss.backward()
    return loss.item()


def rate_at(step: int, settings: Settings) -> float:
    """Learning rate: 100 steps of warm-up, constant, then linear to zero."""
    start = settings.steps * (1 - settings.decay_share)
    left = (settings.steps - step) / (settings.steps * settings.decay_share)
    return settings.rate * min(1.0, (step + 1) / 100, left if step > start else 1.0)


def train(settings: Settings, run: Path, *, threads: int = 2) -> Iterator[tuple[int, float]]:
    """Train, or go on from the checkpoint in ``run``; yields (step, loss)."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    run.mkdir(parents=True, exist_ok=True)
    network = UNet().to(memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.average),
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
    )
    parts: Parts = {"network": network, "average": average, "optimizer": optimizer}
    first = _resume(run, parts)
    started = time.monotonic()
    order = range(first, settings.steps)
    halves = Halves(network, threads)
    loader = DataLoader(
        Batches(settings), batch_size=None, sampler=order, num_workers=1, prefetch_factor=4
    )
    for step, (grey, target, weight) in zip(order, loader, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, settings)
        loss = halves.gradients(grey, target, weight)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)
        done = step + 1
        with (run / "log.jsonl").open("a") as log:
            seconds = round(time.monotonic() - started, 1)
            log.write(json.dumps({"step": done, "loss": loss, "seconds": seconds}) + "\n")
        if done % 50 == 0 or done == settings.steps:
            _save(run, done, settings, parts)
        yield done, loss


def load_average(run: Path) -> UNet:
    """The averaged weights of a run's last checkpoint, ready for use."""
    state = torch.load(run / "last.pt", weights_only=True)["average"]
    network = UNet()
    network.load_state_dict(
        {k.removeprefix("module."): v for k, v in state.items() if k.startswith("module.")}
    )
    return network.eval()


def load_settings(run: Path) -> dict[str, Any]:
    """The settings of a run's last checkpoint."""
    found: dict[str, Any] = torch.load(run / "last.pt", weights_only=True)["settings"]
    return found


def _save(run: Path, step: int, settings: Settings, parts: Parts) -> None:
    part = run / "last.pt.part"
    state = {name: item.state_dict() for name, item in parts.items()}
    torch.save({"step": step, "settings": asdict(settings), **state}, part)
    part.replace(run / "last.pt")


def _resume(run: Path, parts: Parts) -> int:
    path = run / "last.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, item in parts.items():
        item.load_state_dict(state[name])
    return int(state["step"])
