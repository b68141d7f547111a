"""Each measure against values that are known without it."""

import math

import numpy as np
import pytest
import torch
from sums import moments
from torch import nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import held_out
from lowparam.interference.measurement import Value, interval
from lowparam.interference.measures import channel_pairs, class_cross_talk, gradient_conflict, position_similarity
from lowparam.interference.measures.capacity_used import measure_site as measure_capacity
from lowparam.interference.measures.capacity_used import participation, participation_across_folds
from lowparam.interference.measures.class_cross_talk import centred_effects, chi, class_directions, forced_chi, steer
from lowparam.interference.measures.class_selectivity import selectivity
from lowparam.interference.measures.constructive_interference import log_ci
from lowparam.interference.measures.constructive_interference import measure_site as measure_log_ci
from lowparam.interference.measures.dimensionality import dimensionality
from lowparam.interference.one_pass import collect
from lowparam.models.blocks import Site
from lowparam.params import Profile


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# Sums per fold


def test_moments_are_those_of_numpy():
    x = random(50, 3, 4)
    found = moments(x, 7)
    rows = x.flatten(0, 1).numpy()
    assert found.covariance().numpy() == pytest.approx(np.cov(rows.T, bias=True))
    assert found.deviations()[0].numpy() == pytest.approx(rows.std(0))
    rest = x[torch.arange(50) % 7 != 2].flatten(0, 1).numpy()
    assert found.deviations()[1][2].numpy() == pytest.approx(rest.std(0))
    own = x[torch.arange(50) % 7 == 2].flatten(0, 1).numpy() - rows.mean(0)
    assert found.fold_covariances()[2].numpy() == pytest.approx(own.T @ own / len(own))


def test_jackknife_of_a_mean_is_the_standard_error():
    x = np.random.default_rng(0).normal(size=20)
    left_out = [np.delete(x, i).mean() for i in range(20)]
    lower, upper = interval(x.mean(), left_out)
    half = 2.093024 * x.std(ddof=1) / math.sqrt(20)  # t of 19 degrees of freedom
    assert (lower, upper) == pytest.approx((x.mean() - half, x.mean() + half), rel=1e-5)


def test_z_and_ratio_are_relative_to_the_null():
    value = Value("a", value=3.0, null=2.0, null_sd=0.5)
    assert (value.z, value.ratio) == (2.0, 1.5)
    assert math.isnan(Value("a", value=3.0, null=0.0).ratio)


# log CI


def test_log_ci_is_zero_for_independent_channels():
    x = random(4000, 8, 16)
    conv = nn.Conv2d(16, 40, 1)
    torch.manual_seed(0)
    nn.init.normal_(conv.weight)
    found = measure_log_ci("a", Site("projection", conv, conv), moments(x, 20))[0]
    assert found.value == pytest.approx(0, abs=0.02)
    assert found.lower < 0 < found.upper or abs(found.value) < 0.005


def test_log_ci_of_equal_channels_is_log_of_their_number_and_opposite_ones_cancel():
    same = torch.ones(4, 4, dtype=torch.float64)
    assert log_ci(torch.ones(1, 4).double(), same).item() == pytest.approx(math.log(4))
    correlated = torch.tensor([[1, 0.9], [0.9, 1]]).double()
    assert log_ci(torch.tensor([[1.0, -1]]).double(), correlated).item() == pytest.approx(math.log(0.1))
    assert math.isnan(log_ci(torch.tensor([[1.0, -1]]).double(), torch.ones(2, 2).double()).item())


def test_log_ci_intervals_are_those_of_folds_left_out():
    x = random(60, 3, 5) @ random(5, 5, seed=1)
    conv = nn.Conv2d(5, 7, 1)
    found = measure_log_ci("a", Site("projection", conv, conv), moments(x, 6))[0]
    weight = conv.weight.detach().double().flatten(1)
    left_out = []
    for fold in range(6):
        rest = x[torch.arange(60) % 6 != fold].flatten(0, 1)
        left_out.append(log_ci(weight, torch.cov(rest.T, correction=0)).mean().item())
    assert (found.lower, found.upper) == pytest.approx(interval(found.value, left_out))


# Capacity used


def correlated_positions(images: int, share: float, seed: int) -> torch.Tensor:
    """Vectors (images, 32, 30) with variances whose participation ratio is 13.8; positions share part of theirs."""
    variances = torch.exp(-torch.arange(30, dtype=torch.float64) / 6.9)
    own, common = random(images, 32, 30, seed=seed), random(images, 1, 30, seed=seed + 10_000)
    return (math.sqrt(share) * common + math.sqrt(1 - share) * own) * variances.sqrt()


@pytest.mark.parametrize(("images", "share"), [(16, 0.5), (256, 0.9)])
def test_participation_across_folds_is_unbiased_where_the_plain_one_is_not(images, share):
    variances = torch.exp(-torch.arange(30, dtype=torch.float64) / 6.9)
    truth = participation(torch.diag(variances))
    assert truth == pytest.approx(13.6, abs=0.3)
    plain, crossed = [], []
    for seed in range(60):
        found = moments(correlated_positions(images, share, seed), min(images, 20))
        plain.append(participation(found.covariance()))
        crossed.append(participation_across_folds(found.fold_covariances())[0])
    error = np.std(crossed) / math.sqrt(60)
    assert abs(np.mean(crossed) - truth) < 3 * error + 0.06 * truth * 16 / images
    assert truth - np.mean(plain) > 2 * abs(truth - np.mean(crossed))
    assert truth - np.mean(plain) > 0.01 * truth


def test_capacity_used_of_white_channels_is_one_and_of_one_direction_one_channel():
    site = Site("stream", nn.Identity())
    white = measure_capacity("a", site, moments(random(400, 8, 10), 20))[0]
    assert white.value == pytest.approx(1, abs=0.01)
    assert white.lower < 1 < white.upper
    line = measure_capacity("a", site, moments(random(400, 8, 1) * torch.ones(10), 20))[0]
    assert line.value == pytest.approx(0.1, abs=0.001)
    assert line.null == pytest.approx(1)  # its channels, taken apart, are all alike


# chi


def test_a_simplex_readout_has_chi_zero():
    simplex = torch.eye(10, dtype=torch.float64) - 0.1
    assert chi(centred_effects(simplex)).item() == pytest.approx(0, abs=1e-12)


def test_random_effects_have_chi_one():
    effects = centred_effects(random(400, 10, 10))
    assert chi(effects).mean().item() == pytest.approx(1, abs=0.05)


def test_a_steered_linear_readout_gives_its_exact_effects(digits):
    images = held_out(digits, 40)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 12, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))
    directions = random(5, 12).float()
    change = steer(net, net[0], images, np.arange(40), directions, torch.device("cpu"))
    expected = (directions @ net[3].weight.T).double().unsqueeze(1).expand(5, 40, 10)
    assert torch.allclose(change, expected, atol=1e-4)


def test_batches_that_branch_out_agree_with_batches_that_do_not(digits, untrained):
    net = untrained("mobilenetv2", digits).eval()
    images, index = held_out(digits, 30), np.arange(30)
    vector = torch.randn(net.stages[1][0].out_channels, generator=torch.Generator().manual_seed(0))
    found = steer(net, net.stages[1][0], images, index, vector[None], torch.device("cpu"))[0]
    with torch.no_grad():
        plain = net(images.pixels(index))
        with net.stages[1][0].register_forward_hook(lambda m, i, output: output + vector.view(1, -1, 1, 1)):
            pushed = net(images.pixels(index))
    assert torch.allclose(found, (pushed - plain).double(), atol=1e-4)


def test_chi_of_classes_that_own_a_channel_is_zero_and_of_shuffled_ones_is_one(noise):
    # Class k lights up channel k; the classifier reads channel k as class k, or as another one.
    dataset = noise(400, classes=10, channels=10)
    pixels, labels = dataset.validation.pixels, dataset.validation.labels
    for part in (dataset.validation, dataset.test):
        part.pixels.fill_(0)
        part.pixels[torch.arange(len(part.labels)), part.labels] = 200
    assert pixels[0, labels[0]].min() == 200

    def found(readout: torch.Tensor) -> float:
        net = nn.Sequential(nn.Conv2d(10, 10, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 10))
        with torch.no_grad():
            net[0].weight.copy_(torch.eye(10).view(10, 10, 1, 1))
            net[3].weight.copy_(readout)
        images = held_out(dataset, 400)
        site = Site("stream", net[0])
        return class_cross_talk.measure(Context(net, {"a": site}, images, Profile()))[0].value

    assert found(torch.eye(10)) == pytest.approx(0, abs=1e-4)
    random_readouts = [found(random(10, 10, seed=seed).float()) for seed in range(30)]
    assert np.mean(random_readouts) == pytest.approx(1, abs=0.05)


def test_fewer_channels_than_classes_force_cross_talk():
    assert forced_chi(10, 64) == 0
    assert forced_chi(100, 10) == pytest.approx((0.9 - 0.01) / 0.98)
    # The best that 3 channels can do for 10 classes, a tight frame, reaches the floor.
    angles = torch.arange(10, dtype=torch.float64)[:, None] * torch.arange(1, 3) * 2 * math.pi / 10
    frame = torch.cat([angles.cos(), angles.sin()], 1)
    assert chi(frame @ frame.T).item() == pytest.approx(forced_chi(10, 4), abs=1e-9)


def test_conditional_means_recover_the_directions_of_features(digits):
    # Features that are on or off, written into fewer dimensions: means of on less off give the columns back.
    generator = torch.Generator().manual_seed(0)
    truth = random(12, 30)
    on = torch.rand(60_000, 30, generator=generator) < 0.05
    x = (on * torch.rand(60_000, 30, generator=generator)).double() @ truth.T
    found = torch.stack([x[on[:, k]].mean(0) - x[~on[:, k]].mean(0) for k in range(30)], 1)
    assert (dimensionality(found).mean() / dimensionality(truth).mean()).item() == pytest.approx(1, abs=0.03)


# The others


def test_class_directions_are_differences_of_means(digits, untrained):
    net = untrained("mobilenetv1", digits)
    images = held_out(digits, 100)
    site = {"s": net.sites()["stages.2.1.stream"]}
    pooled = collect(net, site, images, batch_size=32).pooled["s"]
    with torch.no_grad():
        maps = net.features(images.pixels(np.arange(100))).mean((2, 3)).double()
    three = images.labels == 3
    expected = maps[three].mean(0) - maps[~three].mean(0)
    found, strength = class_directions(pooled, torch.arange(10))
    assert torch.allclose(found[3], expected / expected.norm(), atol=1e-5)
    assert strength == pytest.approx(maps.std(0, correction=0).norm().item(), rel=1e-4)


def test_position_similarity_is_the_mean_entry_of_the_gram_matrix(digits, untrained):
    net = untrained("mobilenetv2", digits)
    images = held_out(digits, 60)
    site = {"s": net.sites()["stages.1.1.stream"]}
    found = position_similarity.measure(Context(net, site, images, Profile()))[0]
    with torch.no_grad():
        maps = net.stages[1](net.stages[0](net.stem(images.pixels(np.arange(60))))).flatten(2).mT
    unit = maps / maps.norm(dim=2, keepdim=True)
    gram = unit @ unit.mT
    gram.diagonal(dim1=1, dim2=2).zero_()
    assert found.value == pytest.approx(gram.mean().item(), rel=1e-4)
    across = [(unit[i] @ unit[j].T).mean().item() for i in range(60) for j in range(60) if i != j]
    assert found.null == pytest.approx(np.mean(across) * 15 / 16, rel=1e-3, abs=1e-6)


def test_selectivity_of_a_channel_for_one_class_is_one_and_of_an_even_one_zero():
    total = torch.tensor([[6.0, 5.0, 0.0], [0.0, 10.0, 0.0], [0.0, 15.0, 0.0]])
    found = selectivity(total, torch.tensor([1.0, 2.0, 3.0]))
    assert found[:2].tolist() == pytest.approx([1, 0])
    assert math.isnan(found[2])


def test_ablations_of_a_linear_rest_do_not_interact(digits, untrained):
    net = untrained("convnext", digits)
    images = held_out(digits, 60)
    sites = {name: site for name, site in net.sites().items() if site.kind == "stream"}
    settings = Profile(ablation_pairs=6, ablation_images=10)
    values = channel_pairs.measure(Context(net, sites, images, settings))
    found = {value.site: value.value for value in values}
    first, last = found["stages.0.1.stream"], found["stages.2.1.stream"]
    assert last == pytest.approx(0, abs=1e-6)
    assert first > 1e-3


def test_per_image_gradients_are_those_of_autograd(digits, untrained):
    net = untrained("mobilenetv2", digits).eval()
    images, index = held_out(digits, 20), np.arange(20)
    name = "stages.1.1.projection"
    site = net.sites()[name]
    products, reason = gradient_conflict._products(net, {name: site}, images, index, torch.device("cpu"))
    assert not reason
    each = []
    for i in index:
        loss = nn.functional.cross_entropy(net(images.pixels(np.array([i]))), images.labels[[i]])
        each.append(torch.autograd.grad(loss, site.pointwise.weight)[0].flatten())
    each = torch.stack(each).double()
    expected = each @ each.T
    assert torch.allclose(products[name], expected, rtol=1e-3, atol=1e-4 * expected.max().item())


def test_cosines_of_classes_are_those_of_summed_gradients():
    gradient, labels = random(12, 40), torch.arange(12) % 3
    sums = torch.stack([gradient[labels == k].sum(0) for k in range(3)])
    unit = sums / sums.norm(dim=1, keepdim=True)
    found = gradient_conflict.class_cosines(gradient @ gradient.T, nn.functional.one_hot(labels))
    assert found.tolist() == pytest.approx([(unit[a] @ unit[b]).item() for a, b in [(0, 1), (0, 2), (1, 2)]])
