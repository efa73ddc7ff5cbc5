"""The model's JSON: what a user must know, and how the model was made and how good it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mitoem.inference.decode import DecodeParameters
from mitoem.inference.spec import FORMAT
from mitoem.training.augment import PATCH, SCALE, SECTION_NM
from mitoem.training.loop import Settings, load_settings
from mitoem.training.network import CHANNELS, DIVISORS, KERNELS, POOLS, STEM, WIDTHS, UNet

DATA = (
    {
        "name": "lucchi_train",
        "what": "EPFL CA1 hippocampus of the mouse, FIB-SEM, training sub-volume; 3-D components",
        "voxel_size_nm": [5, 8, 8],
        "citation": "Lucchi et al., CVPR 2013",
        "terms": "research use with citation; no redistribution licence found",
    },
    {
        "name": "cdeep3m_sbem_z20_39",
        "what": "mouse neuropil, SBEM, 20 sections; 3-D components",
        "voxel_size_nm": [40, 5.9, 5.9],
        "citation": "Haberl et al., Nature Methods 15:677 (2018)",
        "terms": "UC Regents: education, research, non-profit",
    },
    {
        "name": "snemi3d_z41_57",
        "what": "mouse cortex, ssSEM, 17 sections of which one is labelled",
        "voxel_size_nm": [30, 6, 6],
        "citation": "Kasthuri et al., Cell 162:648 (2015); labels Urakubo et al., Sci Rep 9:19413",
        "terms": "ODC-By 1.0",
    },
    {
        "name": "fafb_2d",
        "what": "adult fly brain, ssTEM, 8 sections, semantic labels; pixel taken as 10 nm",
        "voxel_size_nm": [40, 10, 10],
        "citation": "Zheng et al., Cell 174:730 (2018); labels Wu et al., MICCAI 2021",
        "terms": "none stated",
    },
    {
        "name": "phantom",
        "what": "synthetic volumes of this project, both kinds, seeds 101 to 103",
        "voxel_size_nm": [30, 8, 8],
        "citation": "mitoem.phantom",
        "terms": "MIT",
    },
)

FAILURES = (
    "Myelin cut along its length, as dark and wide as a mitochondrion, is still the chief "
    "invention, at the edges of a crop above all.",
    "Very dark round bodies (lysosomes, lipid) are sometimes taken for mitochondria.",
    "Profiles of less than 0.002 µm³, as most that the edge of a crop cuts, are often missed.",
    "Mitochondria in cytoplasm as dark as they are come out in pieces, or not at all.",
    "Human tissue, MitoEM itself and sections thicker than 50 nm were never scored.",
)

NOTES = (
    "Made in three stretches, each continued from the one before: the command above with `--steps "
    "4000`, with `--steps 5000`, and as it stands. Same seed, same batches: they give this run "
    "again, to the rounding of another processor.",
    "The thresholds of decoding were chosen on training volumes and on a phantom of seed 903. The "
    "validation stack was scored after 3,860, 5,000 and all steps and its pictures were seen "
    "after the first two: its myelin led to the drawn sheaths. Nothing else was chosen by it.",
)


def spec(sha256: str) -> dict[str, Any]:
    """The part of the JSON that ``mitoem.inference`` reads."""
    return {
        "format": FORMAT,
        "name": "mitoem-unet-2",
        "sha256": sha256,
        "input": {
            "voxel_size_nm": [30.0, 8.0, 8.0],
            "sections_nm": [24.0, 51.0],
            "pixels_nm": [7.4, 8.6],
            "percentiles": [1.0, 99.0],
            "grey_range": [-1.0, 1.0],
        },
        "output": {"channels": list(CHANNELS)},
        "tile": {
            "divisors": list(DIVISORS),
            "smallest": [4, 64, 64],
            "largest": [64, 320, 320],
            "trim": [2, 24, 24],
            "ramp": [2, 16, 16],
        },
        "decode": asdict(DecodeParameters()),
    }


def network(parameters: int) -> dict[str, Any]:
    """What the network is made of."""
    return {
        "family": "anisotropic 3-D U-Net at 16 nm in the plane, added skips, batch "
        "normalisation, nearest upsampling, sub-pixel answers",
        "stem_zyx": list(STEM),
        "widths": list(WIDTHS),
        "kernels_zyx": [list(k) for k in KERNELS],
        "pools_zyx": [list(p) for p in POOLS],
        "parameters": parameters,
        "field_of_view_voxels": list(field_of_view()),
    }


def field_of_view() -> tuple[int, int, int]:
    """Voxels of input (z, y, x) that one output voxel depends on."""
    reach = [k - 1 for k in STEM]
    step = [1, 2, 2]
    for axis in (1, 2):  # the head's 3 × 3, and the two pixels that one answer becomes
        reach[axis] += 2 * step[axis] + 1
    for level, kernel in enumerate(KERNELS):
        passes = 2 if level == len(KERNELS) - 1 else 4
        for axis in range(3):
            reach[axis] += passes * (kernel[axis] - 1) * step[axis]
            if level < len(POOLS):
                reach[axis] += (POOLS[level][axis] - 1) * step[axis] * 2
                step[axis] *= POOLS[level][axis]
    return reach[0] + 1, reach[1] + 1, reach[2] + 1


def training(run: Path, *, every: int = 50) -> dict[str, Any]:
    """Command, settings, data and mean loss per ``every`` steps of a run."""
    settings = Settings(**load_settings(run))
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    losses = {row["step"]: row["loss"] for row in map(json.loads, lines)}
    done = max(losses)
    means = [
        (last, round(sum(losses[i] for i in range(last - every + 1, last + 1)) / every, 4))
        for last in range(every, done + 1, every)
    ]
    return {
        "command": command(run),
        "settings": asdict(settings),
        "steps": done,
        "patch_zyx": list(PATCH),
        "pixel_scale": list(SCALE),
        "section_nm": list(SECTION_NM),
        "loss_curve": means,
        "data": list(DATA),
    }


def command(run: Path) -> str:
    """What makes a run again."""
    settings = load_settings(run)
    changed = [
        f"--{name.replace('_', '-')} {value}"
        for name, value in settings.items()
        if value != getattr(Settings(), name)
    ]
    return " ".join(["python -m mitoem.training train", *changed])


def write(path: Path, card: dict[str, Any]) -> None:
    """Write the JSON beside the ONNX file."""
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def page(card: dict[str, Any]) -> str:
    """The card for people, as Markdown; every number comes from the JSON."""
    net, made, grid = card["network"], card["training"], card["input"]
    thin, thick = grid["sections_nm"]
    lines = [
        f"# {card['name']}",
        "",
        f"{net['family']}; {net['parameters']:,} parameters, fp32 ONNX, SHA-256 "
        f"`{card['sha256']}`. Made by `python -m mitoem.training export`, as is this page.",
        "",
        f"Input: one grey channel at {' × '.join(f'{v:g}' for v in grid['voxel_size_nm'])} nm "
        f"(z, y, x; sections of {thin:g}–{thick:g} nm are taken as they are), percentiles "
        f"{grid['percentiles']} of the crop mapped to {grid['grey_range']}. Output: "
        f"probabilities of {' and '.join(card['output']['channels'])}. One voxel sees "
        f"{' × '.join(map(str, net['field_of_view_voxels']))} voxels.",
        "",
        "## Scores",
        "",
        "| on | foreground IoU | F1 at IoU 0.5 | F1 at 0.75 | true | predicted |",
        "|---|---|---|---|---|---|",
        *_rows(card["scores"]),
        "",
        "Instances are matched one to one.",
        "",
        *(left_out(card["left_out"]) if card["left_out"] else []),
        *_made(made),
        "## Known failures",
        "",
        *(f"- {line}" for line in card["known_failures"]),
    ]
    return "\n".join(lines) + "\n"


def _made(made: dict[str, Any]) -> list[str]:
    """Data and training, in lines."""
    return [
        "## Data",
        "",
        "| source | what | citation | terms |",
        "|---|---|---|---|",
        *(f"| {d['name']} | {d['what']} | {d['citation']} | {d['terms']} |" for d in made["data"]),
        "",
        "## Training",
        "",
        f"`{made['command']}`: {made['steps']:,} steps of {made['settings']['batch']} patches of "
        f"{' × '.join(map(str, made['patch_zyx']))} voxels, bf16 on two processor cores.",
        *NOTES,
        "",
        *_chart(made["loss_curve"]),
        "",
    ]


def _chart(curve: list[tuple[int, float]]) -> list[str]:
    """Mean loss against steps, as a chart that Markdown viewers draw from its numbers."""
    steps, losses = zip(*curve, strict=True)
    return [
        "```mermaid",
        "xychart-beta",
        f'    title "Mean loss of {steps[0]} steps"',
        f'    x-axis "step" {steps[0]} --> {steps[-1]}',
        f'    y-axis "loss" 0 --> {max(losses):.1f}',
        f"    line [{', '.join(f'{loss:.3f}' for loss in losses)}]",
        "```",
    ]


def left_out(found: dict[str, Any]) -> list[str]:
    """What the recipe reaches on a source that it never saw, beside the same budget with it."""
    rows = [
        f"| {name} | {at['steps']:,} | {what} | {one['foreground_iou']:.2f} | "
        f"{one['f1_0.5']:.2f} | {one['f1_0.75']:.2f} |"
        for name, at in found.items()
        for what, one in (("without it", at["without"]), ("with it", at["with"]))
    ]
    return [
        "## Tissue that it never saw",
        "",
        "One source left out of the training, scored on it, beside a run of the same number of "
        "steps with it (CDeep3M: on the validation stack; SNEMI3D: on its labelled section). "
        "These runs are short: they test the recipe, and are not the bundled model.",
        "",
        "| source | steps | trained | foreground IoU | F1 at IoU 0.5 | F1 at 0.75 |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        *(f"{name}: `{at['command']}`" for name, at in found.items()),
        "",
    ]


def _rows(scores: dict[str, Any], prefix: str = "") -> list[str]:
    rows = []
    for name, found in scores.items():
        if "foreground_iou" in found:
            rows.append(
                f"| {prefix}{name} | {found['foreground_iou']:.2f} | {found['f1_0.5']:.2f} | "
                f"{found['f1_0.75']:.2f} | {found['truth']} | {found['predicted']} |"
            )
        else:
            rows += _rows(found, f"{name}: ")
    return rows


def parameter_count(unet: UNet) -> int:
    """Trainable numbers of a network."""
    return sum(p.numel() for p in unet.parameters())
