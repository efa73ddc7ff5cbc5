"""How the model is made: patches, targets and schedule. Needs PyTorch, which run time does not."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: requirements-train.txt")

from mitoem.training.augment import PATCH, draw, targets  # noqa: E402
from mitoem.training.card import field_of_view  # noqa: E402
from mitoem.training.loop import Settings, loss_of, rate_at, sources_at  # noqa: E402
from mitoem.training.network import UNet  # noqa: E402
from mitoem.training.sources import Source, build  # noqa: E402

torch.set_num_threads(1)  # small tensors: threads only wait for one another


def source(name: str = "made", share: float = 1.0) -> Source:
    rng = np.random.default_rng(3)
    labels = np.zeros((20, 160, 170), np.uint16)
    labels[4:12, 40:90, 50:70] = 1
    labels[4:12, 40:90, 70:95] = 2
    image = (180 - 60 * (labels > 0) + rng.normal(0, 8, labels.shape)).astype(np.uint8)
    return build(name, image, labels, (30.0, 8.0), share=share)


def test_one_seed_gives_one_patch() -> None:
    one, two = (draw(source(), np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(one.grey, two.grey)
    assert torch.equal(one.target, two.target)


def test_patches_have_the_promised_shape_and_range() -> None:
    rng = np.random.default_rng(1)
    for _ in range(12):
        patch = draw(source(), rng)
        assert patch.grey.shape == PATCH
        assert patch.target.shape == (2, *PATCH)
        assert patch.weight.shape == (PATCH[0],)
        assert -1 <= float(patch.grey.min()) <= float(patch.grey.max()) <= 1


def test_a_sparse_source_always_shows_its_labelled_section() -> None:
    full = source()
    labelled = np.zeros(20, bool)
    labelled[8] = True
    sparse = build("sparse", full.image, full.labels, (30.0, 8.0), share=1.0, labelled=labelled)
    rng = np.random.default_rng(2)
    assert all(draw(sparse, rng).weight.sum() >= 1 for _ in range(15))


def test_touching_instances_have_contour_between_them() -> None:
    ids = torch.zeros(2, 20, 30)
    ids[0, 4:16, 4:14], ids[0, 4:16, 14:26] = 1, 2
    ids[1, 4:16, 4:26] = 1
    mask, contour = targets(ids)
    assert mask[0, 10, 13:15].all()
    assert contour[0, 10, 13:15].all()
    assert contour[0, 10, 20]  # meets another instance in the next section
    assert not contour[0, 10, 8]
    assert not targets(ids, linked=False)[1, 0, 10, 20]


def test_unlabelled_sections_do_not_count() -> None:
    logits = torch.randn(1, 2, 2, 8, 8)
    target = torch.zeros_like(logits)
    weight = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1, 1)
    other = target.clone()
    other[:, :, 1] = 1
    assert loss_of(logits, target, weight) == loss_of(logits, other, weight)


def test_the_rate_before_the_decay_does_not_depend_on_the_number_of_steps() -> None:
    short, long = Settings(steps=1000), Settings(steps=4000)
    assert [rate_at(s, short) for s in range(700)] == [rate_at(s, long) for s in range(700)]
    assert rate_at(999, short) < short.rate / 100


def test_shares_sum_to_one_with_and_without_phantoms() -> None:
    real, made = [source("a", 0.5), source("b", 0.3)], [source("p", 0.2)]
    at = Settings(phantoms_from=10)
    for step, count in ((9, 2), (10, 3)):
        used = sources_at(step, real, made, at)
        assert len(used) == count
        assert sum(s.share for s in used) == pytest.approx(1)


def test_the_network_sees_no_further_than_its_card_says() -> None:
    torch.manual_seed(0)
    network = UNet().eval()
    depth, height, width = field_of_view()
    shape = (64, 32 * (height // 32 + 2), 32)
    grey = torch.randn(1, 1, *shape, requires_grad=True)
    centre = (shape[0] // 2, shape[1] // 2)
    network(grey)[0, 0, centre[0], centre[1], 8].backward()
    reached = torch.nonzero(grey.grad[0, 0])
    assert int(reached[:, 0].max() - reached[:, 0].min()) < depth
    assert int(reached[:, 1].max() - reached[:, 1].min()) < height
    assert width == height


def test_drawn_myelin_is_dark_and_is_background() -> None:
    from mitoem.training.sheaths import lay

    grey, ids = torch.full((8, 96, 96), 0.7), torch.full((8, 96, 96), 3.0)
    grain = torch.zeros_like(grey)
    for seed in range(8):
        made, left = lay(grey, ids, grain, np.random.default_rng(seed))
        again, _ = lay(grey, ids, grain, np.random.default_rng(seed))
        assert torch.equal(made, again)
        assert set(left.unique().tolist()) <= {0.0, 3.0}
        assert (made[left == 3] - 0.7).abs().max() < 0.2, "beside a sheath only its soft edge"
    made, left = lay(
        torch.linspace(0, 1, 8 * 96 * 96).view(8, 96, 96), ids, grain, np.random.default_rng(1)
    )
    assert 0 < (left == 0).float().mean() < 0.8
    assert made[left == 0].mean() < 0.35
