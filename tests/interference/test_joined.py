"""Features where branches are joined: their overlap as functions, against integrals and cases known by hand."""

import math

import numpy as np
import pytest
import torch
from sums import moments
from torch import nn

from lowparam.interference.measures import branch_independence, branch_products
from lowparam.interference.profile import profile_run
from lowparam.interference.summary import summary
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site
from lowparam.params import Profile


def site_of(kind, first, second, first_bias=None, second_bias=None):
    layers = []
    for weight, bias in ((first, first_bias), (second, second_bias)):
        layer = nn.Conv2d(weight.shape[1], len(weight), 1).double()
        layer.weight.data = weight.double()[:, :, None, None]
        layer.bias.data = torch.zeros(len(weight)).double() if bias is None else bias.double()
        layers.append(layer)
    return Site(kind, nn.Identity(), factors=tuple(layers))


def inputs_of(d, folds=5, mean=0.0, deviation=None):
    """Sums of vectors with exactly this mean and these deviations: plus and minus one deviation, in every fold."""
    deviation = torch.ones(d).double() if deviation is None else deviation.double()
    signs = torch.tensor([1.0, -1.0], dtype=torch.double)[:, None] * deviation + mean
    each = (signs[:, :, None] * signs[:, None, :]).sum(0)
    return Moments(
        torch.full((folds,), 2.0).double(), signs.sum(0).expand(folds, d).clone(), each.expand(folds, d, d).clone()
    )


def measured(site, inputs, draws=50):
    return {value.measure: value for value in branch_products.measure_site("here", site, inputs, draws=draws)}


def test_covariance_of_products_equals_the_integral():
    torch.manual_seed(0)
    n, d = 4, 2
    a, b, alpha, beta = torch.randn(n, d), torch.randn(n, d), torch.randn(n), torch.randn(n)
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)  # exact for polynomials of degree 9
    z = torch.tensor(np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, d), dtype=torch.double)
    w = torch.tensor(np.outer(weights, weights).ravel() / (2 * math.pi))
    a, b, alpha, beta = (tensor.double() for tensor in (a, b, alpha, beta))
    products = (z @ a.T + alpha) * (z @ b.T + beta)
    centred = products - w @ products
    quadratic, linear = branch_products.product_covariance(a, b, alpha, beta)
    torch.testing.assert_close(quadratic + linear, centred.T @ (w[:, None] * centred))
    sums = z @ (a + b).T
    torch.testing.assert_close(branch_products.sum_covariance(a, b), sums.T @ (w[:, None] * sums))


def test_products_have_dimensions_that_sums_of_the_same_weights_have_not():
    d = 5
    first, second = torch.triu_indices(d, d)
    eye = torch.eye(d)
    found = measured(site_of("product", eye[first], eye[second]), inputs_of(d))
    # z_i z_j are orthogonal functions, d(d+1)/2 of them
    assert found["dimensionality"].value == pytest.approx(1)
    assert (found["dimensionality"].n, found["dimensionality"].m) == (15, 20)
    assert found["quadratic_share"].value == pytest.approx(1)
    sums = measured(site_of("sum", eye[first], eye[second]), inputs_of(d))
    assert sums["dimensionality"].m == d
    assert sums["dimensionality"].value <= d / 15 + 1e-9
    assert "quadratic_share" not in sums


def test_products_far_from_zero_are_linear():
    torch.manual_seed(0)
    site = site_of("product", torch.randn(30, 6), torch.randn(30, 6), torch.full((30,), 1e4), torch.full((30,), 1e4))
    found = measured(site, inputs_of(6))
    assert found["quadratic_share"].value < 1e-6
    assert found["dimensionality"].value < 6 / 30 + 1e-6


@pytest.mark.parametrize("mean", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["product", "sum"])
def test_random_weights_have_the_value_of_the_null(kind, mean):
    torch.manual_seed(0)
    z = []
    for _ in range(30):
        site = site_of(kind, torch.randn(24, 8), torch.randn(24, 8))
        z.append(measured(site, inputs_of(8, mean=mean, deviation=torch.rand(8) + 0.2))["dimensionality"].z)
    assert abs(np.mean(z)) < 0.75
    assert np.std(z) < 2


def test_lengths_of_features_and_channels_do_not_matter():
    torch.manual_seed(0)
    a, b, bias = torch.randn(20, 6).double(), torch.randn(20, 6).double(), torch.randn(20).double()
    factor, channel = torch.rand(20, 1).double() + 0.5, torch.rand(6).double() + 0.5
    before = measured(site_of("product", a, b, bias), inputs_of(6, mean=0.3))["dimensionality"].value
    inputs = inputs_of(6, mean=0.3 * channel, deviation=channel)
    site = site_of("product", factor * a / channel, b / channel, factor[:, 0] * bias)
    assert measured(site, inputs)["dimensionality"].value == pytest.approx(before)


def test_what_cannot_be_measured_says_why():
    site = site_of("product", torch.randn(8, 3), torch.randn(8, 3))
    constant = inputs_of(3, deviation=torch.zeros(3))
    assert measured(site, constant)["dimensionality"].note == "no input channel varies over the images"
    assert measured(site, None)["dimensionality"].note == "the branches never ran"
    site.factors[0].weight.data[0] = float("nan")
    assert "not finite" in measured(site, inputs_of(3))["dimensionality"].note
    assert branch_products.measure_site("here", Site("expansion", nn.Identity()), None, draws=5) == []


@pytest.mark.parametrize(("name", "kind"), [("demonet_star", "product"), ("starnet_sum", "sum")])
def test_profiles_have_joined_features_of_every_block(digits, untrained, name, kind):
    net = untrained(name, digits)
    frame = profile_run(net, digits, Profile(images=200, null_draws=20, ablation_pairs=0, steering_images=4))
    found = frame[(frame["kind"] == kind) & (frame["measure"] == "dimensionality")]
    assert len(found) == 6
    assert found["value"].between(0, 1).all()
    assert (found["lower"] <= found["value"]).all() and (found["value"] <= found["upper"]).all()
    ratio = frame[(frame["kind"] == kind) & (frame["measure"] == "dimensionality_ratio")]
    assert ratio["value"].between(0.7, 1.3).all()  # nothing is learned yet


def log_ci(kind, f, g, joined_map):
    site = Site(kind, nn.Identity(), factors=(nn.Identity(), nn.Identity()))
    return branch_independence.measure_site("here", site, [moments(f, 20), moments(g, 20)], moments(joined_map, 20))[0]


@pytest.mark.parametrize("kind", ["product", "sum"])
def test_log_ci_of_independent_branches_is_zero(kind):
    generator = torch.Generator().manual_seed(0)
    f, g = (torch.randn(4000, 8, 16, dtype=torch.double, generator=generator) + mean for mean in (0.5, -1))
    value = log_ci(kind, f, g, f * g if kind == "product" else f + g)
    assert value.value == pytest.approx(0, abs=0.02)
    assert value.lower < 0 < value.upper


def test_log_ci_of_a_square_and_of_branches_that_cancel():
    generator = torch.Generator().manual_seed(0)
    f, noise = (torch.randn(4000, 8, 16, dtype=torch.double, generator=generator) for _ in range(2))
    assert log_ci("product", f, f, f * f).value == pytest.approx(math.log(2), abs=0.05)  # var f² = 2, (E f²)² = 1
    g = 0.1 * noise - f
    assert log_ci("sum", f, g, f + g).value == pytest.approx(math.log(0.01 / 2.01), abs=0.05)


@pytest.mark.parametrize("family", ["demonet_{}_noact", "starnet_{}"])
def test_star_and_sum_are_compared_at_the_same_sites(digits, untrained, family):
    names = [family.format("star").replace("starnet_star", "starnet"), family.format("sum")]
    tables = [
        profile_run(untrained(name, digits, budget=25_000), digits, Profile(ablation_pairs=0, gradient_images=0))
        for name in names
    ]
    sites = [set(zip(table["measure"], table["site"], strict=True)) for table in tables]
    assert {measure for measure, _ in sites[0] - sites[1]} == {"quadratic_share"}
    assert not sites[1] - sites[0]
    for table in tables:
        at = table[table["site"].str.endswith(".join")]
        assert {"dimensionality", "dimensionality_ratio", "log_ci", "capacity_used"} <= set(at["measure"])
        assert at["value"].notna().all()
        assert summary(table)["r_join"] == pytest.approx(1, abs=0.06)
        assert summary(table)["r_expansion"] == pytest.approx(1, abs=0.05)
    star, linear = map(summary, tables)
    assert 0 < star["quadratic_share"] < 1 and math.isnan(linear["quadratic_share"])
    if "noact" in family:
        assert star["lift_join"] > linear["lift_join"]


def test_lift_is_the_growth_in_effective_dimensions(digits, untrained):
    profile = profile_run(untrained("demonet_sum_noact", digits), digits, Profile(ablation_pairs=0, gradient_images=0))
    used = profile[profile["measure"] == "capacity_used"].set_index("site")
    blocks = [f"stages.{stage}.{block}" for stage in range(3) for block in range(2)]
    dimensions = used["value"] * used["n"]
    lifts = [dimensions[f"{block}.join"] / dimensions[f"{block}.spatial"] for block in blocks]
    assert summary(profile)["lift_join"] == pytest.approx(np.mean(lifts))


def test_branches_that_share_their_weights_are_told_apart_by_their_activation(digits, untrained):
    profile = profile_run(untrained("starnet_shared", digits, budget=25_000), digits, Profile(ablation_pairs=0))
    at = profile[profile["site"].str.endswith(".join") & (profile["measure"] == "log_ci")]
    assert (at["value"] > 0.05).all()  # a map times itself rectified varies more than a map times another
