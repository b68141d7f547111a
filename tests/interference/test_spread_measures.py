"""Coding rate, isometry gap and kernel quality against closed forms and published values of chance."""

import math

import pytest
import torch
from torch import nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import GivenImages, held_out
from lowparam.interference.measures import coding_rate, isometry_gap, kernel_quality, layer_similarity
from lowparam.interference.measures.coding_rate import DISTORTION, rate, reduction
from lowparam.interference.measures.isometry_gap import gap, gaussian_gap
from lowparam.interference.measures.kernel_quality import sparsity, template_share, templates, variance_entropy
from lowparam.interference.measures.layer_similarity import cka, hsic
from lowparam.models.blocks import Site
from lowparam.params import Profile


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Stream(nn.Module):
    """One stream, which is the image."""

    def __init__(self) -> None:
        super().__init__()
        self.map, self.readout = nn.Identity(), nn.Linear(1, 1)

    def forward(self, x):
        return self.map(x).mean((2, 3))

    def sites(self):
        return {"0.stream": Site("stream", self.map)}


def profile(measure, maps: torch.Tensor, labels: torch.Tensor) -> dict:
    net = Stream()
    images = GivenImages(
        maps.float()[:, :, None, None].expand(-1, -1, 2, 2), labels, [str(k) for k in range(int(labels.max()) + 1)]
    )
    settings = Profile(measures=[measure.__name__.rpartition(".")[2]], folds=10)
    return {value.measure: value for value in measure.measure(Context(net, net.sites(), images, settings))}


# Coding rate


def by_class(vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.stack([vectors[labels == k].T @ vectors[labels == k] for k in labels.unique()])


def test_equal_vectors_have_the_rate_of_one_line_whatever_their_number():
    for count in (1, 50):
        unit = nn.functional.normalize(random(1, 16)).expand(count, -1)
        assert rate(unit.T @ unit, torch.tensor(float(count))).item() == pytest.approx(
            math.log(1 + 16 / DISTORTION) / 2
        )


def test_classes_on_orthogonal_lines_have_the_closed_form_and_equal_ones_nothing():
    labels = torch.arange(500) % 10
    lines = by_class(torch.eye(32).double()[labels], labels)
    whole = rate(lines.sum(0), torch.tensor(500.0))
    within = rate(lines, torch.full((10,), 50.0)).mean()
    assert (whole - within).item() == pytest.approx(7.9202, abs=1e-4)  # K/2 log(1 + d / (K e)) - 1/2 log(1 + d / e)
    assert reduction(lines).item() == pytest.approx(7.9202 / whole.item(), abs=1e-5)
    same = nn.functional.normalize(random(50, 32)).repeat(10, 1)
    assert reduction(by_class(same, torch.arange(500) // 50)).item() == pytest.approx(0, abs=1e-9)


def test_a_rotation_changes_nothing():
    vectors, labels = nn.functional.normalize(random(200, 8)), torch.arange(200) % 4
    turned = vectors @ torch.linalg.qr(random(8, 8, seed=1)).Q
    assert reduction(by_class(turned, labels)).item() == pytest.approx(reduction(by_class(vectors, labels)).item())


def test_a_stream_is_measured_against_labels_and_directions_of_chance():
    labels = torch.arange(600) % 6
    found = profile(coding_rate, 3 * torch.eye(16)[labels].double() + 0.3 * random(600, 16), labels)
    share, whole = found["rate_reduction"], found["coding_rate"]
    assert share.lower < share.value < share.upper
    assert share.value > share.null + 10 * share.null_sd
    assert 0 < share.null < 0.15
    assert whole.value < whole.null  # six lines are fewer directions than sixteen
    noise = profile(coding_rate, random(600, 16), labels)
    assert noise["coding_rate"].value == pytest.approx(noise["coding_rate"].null, abs=4 * noise["coding_rate"].null_sd)
    assert abs(noise["rate_reduction"].z) < 4


# Isometry gap


def test_orthonormal_vectors_have_no_gap_and_equal_ones_an_infinite_one():
    assert gap(torch.eye(8, 16).double()).item() == pytest.approx(0, abs=1e-12)
    assert gap(torch.ones(2, 4).double()).item() == math.inf


@pytest.mark.parametrize(("count", "expected"), [(16, 0.146), (32, 0.318), (64, 1.035)])
def test_gaussian_vectors_have_the_gap_of_a_wishart_matrix(count, expected):
    assert gaussian_gap(count, 64) == pytest.approx(expected, abs=1e-3)
    drawn = gap(random(200, count, 64))
    assert drawn.mean().item() == pytest.approx(gaussian_gap(count, 64), abs=4 * drawn.std().item() / 200**0.5 + 0.01)


def test_a_stream_of_noise_has_the_gap_of_noise_and_correlated_channels_more():
    labels = torch.arange(300) % 3
    white = profile(isometry_gap, random(300, 20), labels)["isometry_gap"]
    assert white.value == pytest.approx(white.null, rel=0.15)
    mixed = profile(isometry_gap, random(300, 4) @ random(4, 20) + 0.1 * random(300, 20, seed=2), labels)[
        "isometry_gap"
    ]
    assert mixed.value > 2 * mixed.null


# Kernel quality


def test_kernels_of_one_shape_have_no_entropy_and_taps_that_of_eight_directions():
    assert variance_entropy(random(1, 9).expand(6, -1) * torch.ones(6, 1)).nan_to_num().item() == pytest.approx(0)
    assert variance_entropy(torch.eye(9).double().repeat(4, 1)).item() == pytest.approx(math.log10(8))


@pytest.mark.parametrize(("count", "entropy"), [(8, 0.659), (16, 0.819), (32, 0.884), (64, 0.920), (512, 0.950)])
def test_gaussian_kernels_have_the_published_entropy_of_chance(count, entropy):
    assert variance_entropy(random(200, count, 9)).mean().item() == pytest.approx(entropy, abs=0.012)


def test_dead_kernels_are_counted():
    kernels = torch.zeros(5, 9).double()
    kernels[2, 3] = 1
    assert sparsity(kernels).item() == pytest.approx(4 / 5)
    assert sparsity(random(50, 9)).item() == 0


def test_known_shapes_are_recognised_and_random_kernels_are_not():
    shapes = templates(3)
    assert template_share(-3 * shapes).item() == pytest.approx(1)
    assert template_share(random(100_000, 9)).item() == pytest.approx(0.003, abs=0.002)
    assert torch.equal(shapes[-1], torch.eye(9).double()[4])
    for size in (3, 5, 7):
        assert torch.allclose(templates(size).norm(dim=1), torch.ones(8).double())


def test_the_depthwise_layers_of_a_network_are_measured_and_no_others(digits, untrained):
    net, images = untrained("mobilenetv2", digits), held_out(digits, 20)
    values = kernel_quality.measure(Context(net, net.sites(), images, Profile(null_draws=20)))
    layers = {value.site for value in values}
    assert layers == {f"stages.{stage}.{block}.depthwise.conv" for stage in range(3) for block in range(2)}
    assert all(0 <= value.value <= 1 for value in values)
    entropies = [value for value in values if value.measure == "kernel_entropy"]
    assert all(abs(value.z) < 5 for value in entropies)  # before training kernels are random


# Similarity of layers


def test_copies_that_are_rotated_and_scaled_are_alike_and_independent_maps_are_not():
    x = random(300, 64)
    turned = 5 * x @ torch.linalg.qr(random(64, 64, seed=1)).Q + 3
    assert cka(x, turned) == pytest.approx(1)
    drawn = [cka(random(60, 40, seed=seed), random(60, 40, seed=100 + seed)) for seed in range(50)]
    assert sum(drawn) / 50 == pytest.approx(0, abs=0.02)  # the biased form would be 0.4


def test_many_images_give_the_form_in_feature_space():
    x = random(4000, 6)
    y = x @ random(6, 5, seed=1) + random(4000, 5, seed=2)
    x, y = x - x.mean(0), y - y.mean(0)
    expected = (x.T @ y).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    assert cka(x, y) == pytest.approx(expected.item(), abs=2e-3)


def test_hsic_is_the_formula_written_out():
    first, second = (x @ x.T for x in (random(9, 3), random(9, 4, seed=1)))
    k, other = (gram - torch.diag(gram.diagonal()) for gram in (first, second))
    ones, n = torch.ones(9).double(), 9
    expected = (k @ other).trace() + (ones @ k @ ones) * (ones @ other @ ones) / ((n - 1) * (n - 2))
    expected = (expected - 2 / (n - 2) * (ones @ k @ other @ ones)) / (n * (n - 3))
    assert hsic(first, second).item() == pytest.approx(expected.item())


def test_the_first_stream_is_compared_with_the_pixels_alone(digits, untrained):
    net, images = untrained("mobilenetv1", digits), held_out(digits, 100)
    settings = Profile(measures=["layer_similarity"], folds=5)
    values = layer_similarity.measure(Context(net, net.sites(), images, settings))
    first, second = (values[place] for place in (0, 2))
    assert first.note == "there is no stream before it"
    assert 0.2 < second.lower < second.value < second.upper <= 1.05
