import math

import pytest
import torch
from scipy.stats import ortho_group
from sums import moments
from torch import nn

from lowparam.interference import direction_sets
from lowparam.interference.measures.dimensionality import (
    dimensionality,
    measure_site,
    random_floor,
    random_null,
    tight_floor,
)
from lowparam.interference.pointwise import activity_weighted, directions, pointwise_matrix
from lowparam.models.blocks import Site


def polygon(n: int) -> torch.Tensor:
    angle = torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    return torch.stack([angle.cos(), angle.sin()])


def antiprism(height: float) -> torch.Tensor:
    radius = math.sqrt(1 - height**2)
    angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
    up = torch.where(torch.arange(8) % 2 == 0, height, -height)
    return torch.stack([radius * angle.cos(), radius * angle.sin(), up])


TETRAHEDRON = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=torch.float64)
DIGON = torch.tensor([[1.0, -1]], dtype=torch.float64)
BIPYRAMID = torch.block_diag(polygon(3), DIGON)
FRAMES = {
    "digon": (DIGON, [1 / 2] * 2),
    "triangle": (polygon(3), [2 / 3] * 3),
    "tetrahedron": (TETRAHEDRON, [3 / 4] * 4),
    "pentagon": (polygon(5), [2 / 5] * 5),
    "hexagon": (polygon(6), [1 / 3] * 6),
    "triangular bipyramid": (BIPYRAMID, [2 / 3] * 3 + [1 / 2] * 2),
    "isotropic square antiprism": (antiprism(1 / math.sqrt(3)), [3 / 8] * 8),
    "orthogonal": (torch.eye(5, dtype=torch.float64), [1.0] * 5),
}


@pytest.mark.parametrize("name", FRAMES)
def test_known_frames_have_their_dimensionality(name):
    vectors, expected = FRAMES[name]
    assert dimensionality(vectors).tolist() == pytest.approx(expected, abs=1e-9)


def test_the_antiprism_with_the_widest_angles_is_not_isotropic():
    # Tammes' solution for 8 points: edges within and between the squares are equal.
    h = math.sqrt(
        1 - 2 * math.sqrt(2) * 1 / (1 + 2 * math.sqrt(2))
    )  # cos^2 terms of equal edges, solved for the height
    d = dimensionality(antiprism(h))
    assert d.tolist() == pytest.approx([0.3664] * 8, abs=5e-4)


@pytest.mark.parametrize(("n", "m"), [(7, 3), (12, 5), (64, 16)])
def test_unit_norm_tight_frames_have_m_over_n(n, m):
    # Rows of a real Fourier matrix are orthogonal, and its columns have equal norms.
    t = torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    waves = [f(k * t) for k in range(1, m // 2 + 1) for f in (torch.cos, torch.sin)]
    rows = ([torch.full((n,), math.sqrt(0.5), dtype=torch.float64)] if m % 2 else []) + waves
    assert dimensionality(torch.stack(rows)).tolist() == pytest.approx([tight_floor(n, m)] * n, abs=1e-9)


@pytest.mark.parametrize(("m", "n"), [(16, 64), (32, 32), (30, 12), (128, 512)])
def test_random_directions_have_m_over_m_plus_n_less_one(m, n):
    draws = random_null(torch.ones(n), m, 200)
    assert abs(draws.mean() - random_floor(n, m)) < 3 * draws.std()
    # The mean lies a little above, because 1 / (1 + x) is convex: second order in the sum of squared cosines.
    sum_of_squares, variance = (n - 1) / m, (n - 1) * 2 * (m - 1) / (m**2 * (m + 2))
    corrected = random_floor(n, m) + variance / (1 + sum_of_squares) ** 3
    assert abs(draws.mean() - corrected) < 3 * draws.std() / math.sqrt(200) + 0.002 * corrected


@pytest.mark.parametrize("weights", [None, torch.rand(6) + 0.5])
def test_the_null_does_not_depend_on_the_unit_of_length(weights):
    lengths = torch.rand(20, dtype=torch.float64) + 0.5
    tiny = random_null(1e-12 * lengths, 6, 5, weights=None if weights is None else 1e-12 * weights)
    torch.testing.assert_close(tiny, random_null(lengths, 6, 5, weights=weights), rtol=1e-5, atol=0)


def test_it_is_scherlis_capacity():
    vectors = torch.randn(6, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    capacity = [(v @ v) ** 2 / sum((v @ w) ** 2 for w in vectors.T) for v in vectors.T]
    assert dimensionality(vectors).tolist() == pytest.approx([float(c) for c in capacity], rel=1e-12)


@pytest.mark.parametrize("shape", [(4, 10), (10, 10), (10, 4)])
def test_sum_is_at_most_the_rank_and_each_is_at_most_its_leverage(shape):
    vectors = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    d, leverage = dimensionality(vectors), direction_sets.leverage(vectors)
    assert d.sum() <= min(shape) + 1e-9
    assert (d <= leverage + 1e-9).all()
    assert leverage.sum().item() == pytest.approx(min(shape))


def test_frame_potential_is_m_over_the_participation_of_singular_values():
    vectors = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    squared = torch.linalg.svdvals(vectors) ** 2
    participation = squared.sum() ** 2 / (squared**2).sum()
    assert direction_sets.frame_potential(vectors) == pytest.approx(5 / participation.item())


def test_coherence_never_falls_below_the_welch_bound():
    generator = torch.Generator().manual_seed(3)
    for n, m in [(3, 2), (9, 3), (20, 4), (64, 16)]:
        for _ in range(20):
            vectors = torch.randn(m, n, dtype=torch.float64, generator=generator)
            assert direction_sets.coherence(vectors) >= direction_sets.welch_bound(n, m)
    assert direction_sets.coherence(polygon(3)) == pytest.approx(direction_sets.welch_bound(3, 2))


def test_random_directions_have_the_expected_squared_cosines():
    vectors = torch.randn(16, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert direction_sets.mean_squared_cosine(vectors) == pytest.approx(1, abs=0.02)
    assert direction_sets.positive_squared_cosine(vectors) == pytest.approx(0.5, abs=0.02)


def layer(outputs: int, inputs: int, seed: int = 0) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    generator = torch.Generator().manual_seed(seed)
    conv, norm = nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
    with torch.no_grad():
        conv.weight.copy_(torch.randn(conv.weight.shape, generator=generator))
        norm.weight.copy_(torch.rand(outputs, generator=generator) + 0.5)
        norm.running_var.copy_(torch.rand(outputs, generator=generator) + 0.5)
    return conv, norm


@pytest.mark.parametrize("kind", ["projection", "expansion"])
def test_folded_and_weighted_weights_do_not_feel_a_rescaling_of_channels(kind):
    conv, norm = layer(6, 10)
    x = torch.randn(500, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    site = Site(kind, conv, conv, norm)
    before = measure_site("a", site, moments(x[:, None], 5), draws=100)
    gain = torch.tensor([0.01, 100, 1, 3, 0.5, 7, 20, 0.1, 2, 50], dtype=torch.float64)
    with torch.no_grad():
        conv.weight /= gain.float().view(1, -1, 1, 1)
    inner = measure_site("a", site, moments((x * gain)[:, None], 5), draws=100)
    outer_gain = torch.tensor([0.1, 10, 3, 0.2, 5, 1])
    with torch.no_grad():  # what batch norm undoes on the way out
        conv.weight *= outer_gain.view(-1, 1, 1, 1)
        norm.running_var.copy_((norm.running_var + norm.eps) * outer_gain**2 - norm.eps)
    outer = measure_site("a", site, moments((x * gain)[:, None], 5), draws=100)
    for a, b, c in zip(before, inner, outer, strict=True):
        assert b.value == pytest.approx(a.value, rel=1e-5)
        assert c.value == pytest.approx(a.value, rel=1e-5)
        assert c.lower == pytest.approx(a.lower, rel=1e-5, nan_ok=True)


def test_raw_weights_do_feel_it():
    # Guards the test above: the rescaling is strong enough to move what is not folded.
    conv, _ = layer(6, 10)
    raw = pointwise_matrix(conv)
    gain = torch.tensor([0.01, 100, 1, 3, 0.5, 7, 20, 0.1, 2, 50], dtype=torch.float64)
    assert abs(dimensionality(raw).mean() - dimensionality(raw / gain).mean()) > 0.02


def test_order_of_channels_does_not_matter():
    conv, norm = layer(6, 10)
    site, s = Site("projection", conv, conv, norm), torch.rand(10, dtype=torch.float64) + 0.1
    vectors = directions(site, activity_weighted(site, s))
    columns, rows = torch.randperm(10), torch.randperm(6)
    d = dimensionality(vectors)
    # Exact but for the order of sums in float64.
    assert dimensionality(vectors[:, columns]).tolist() == pytest.approx(d[columns].tolist(), rel=1e-13)
    assert dimensionality(vectors[rows]).tolist() == pytest.approx(d.tolist(), rel=1e-13)


def test_rotation_of_the_shared_space_does_not_matter():
    vectors = torch.randn(6, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rotation = torch.from_numpy(ortho_group.rvs(6, random_state=0))
    assert dimensionality(rotation @ vectors).tolist() == pytest.approx(dimensionality(vectors).tolist(), rel=1e-6)


def test_layer_scale_and_norms_without_statistics_are_folded():
    conv, _ = layer(6, 10)
    norm, scale = nn.GroupNorm(1, 6), torch.rand(6, 1, 1) + 0.1
    with torch.no_grad():
        norm.weight.copy_(torch.rand(6) + 0.5)
    site = Site("projection", conv, conv, norm, scale)
    expected = (norm.weight * scale.flatten())[:, None].double() * conv.weight.flatten(1).double()
    assert torch.allclose(activity_weighted(site, torch.ones(10, dtype=torch.float64)), expected)


def test_a_linear_layer_is_a_pointwise_layer():
    linear, conv = nn.Linear(10, 6), nn.Conv2d(10, 6, 1)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.view(6, 10, 1, 1))
    assert torch.equal(pointwise_matrix(linear), pointwise_matrix(conv))


def test_random_layers_have_ratio_one():
    found = []
    for seed in range(20):
        conv, norm = layer(12, 48, seed)
        x = torch.randn(300, 48, generator=torch.Generator().manual_seed(seed)) * torch.rand(48)
        norm.weight.data.fill_(1), norm.running_var.fill_(1)
        found.append(
            measure_site("a", Site("projection", conv, conv, norm), moments(x.double()[:, None], 5), draws=100)[1]
        )
    z = torch.tensor([value.z for value in found])
    assert torch.tensor([value.value for value in found]).mean() == pytest.approx(1, abs=0.02)
    assert 0.5 < z.std() < 1.6


def test_the_null_of_an_expansion_knows_how_unequal_its_inputs_are():
    # One loud channel aligns all rows, whatever the weights: forced, not learned.
    ratios, plain = [], []
    for seed in range(10):
        conv, norm = layer(48, 12, seed)
        norm.weight.data.fill_(1), norm.running_var.fill_(1)
        loud = torch.ones(12)
        loud[0] = 6
        x = torch.randn(400, 12, generator=torch.Generator().manual_seed(seed)) * loud
        value = measure_site("a", Site("expansion", conv, conv, norm), moments(x.double()[:, None], 5), draws=100)[0]
        ratios.append(value.ratio)
        plain.append(value.value / random_floor(48, 12))
    assert sum(ratios) / 10 == pytest.approx(1, abs=0.05)
    assert sum(plain) / 10 < 0.6


def test_dead_directions_are_dropped_and_counted():
    conv, norm = layer(6, 10)
    x = torch.randn(200, 10, dtype=torch.float64)
    x[:, 3] = 4.0  # a constant channel
    with torch.no_grad():
        conv.weight[:, 7] = 0
    values = {
        v.measure: v for v in measure_site("a", Site("projection", conv, conv, norm), moments(x[:, None], 5), draws=20)
    }
    assert values["dead_directions"].value == 2
    assert values["dimensionality"].n == 8
    assert "2 dead" in values["dimensionality"].note


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda conv, x: conv.weight.data.fill_(torch.nan), "weights are not finite"),
        (lambda conv, x: x.fill_(torch.inf), "activations are not finite"),
        (lambda conv, x: x.fill_(2.0), "no input channel varies"),
    ],
)
def test_what_cannot_be_measured_is_undefined_with_a_reason(change, reason):
    conv, norm = layer(6, 10)
    x = torch.randn(50, 10, dtype=torch.float64)
    change(conv, x)
    value = measure_site("a", Site("projection", conv, conv, norm), moments(x[:, None], 5), draws=20)[0]
    assert math.isnan(value.value)
    assert reason in value.note


@pytest.mark.parametrize("wrong", [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1, groups=2), nn.ReLU()])
def test_other_layers_are_refused_with_a_reason(wrong):
    value = measure_site("a", Site("projection", wrong, wrong), None, draws=20)[0]
    assert math.isnan(value.value)
    assert "pointwise" in value.note
