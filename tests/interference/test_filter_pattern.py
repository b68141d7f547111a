"""Filters and patterns: aligned where there is nothing to cancel, and patterns are the directions of features."""

import math

import pytest
import torch
from sums import moments
from torch import nn

from lowparam.interference.measures.filter_pattern import alignment, measure_site, patterns
from lowparam.models.blocks import Site


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def frame(features: int, channels: int) -> torch.Tensor:
    """Unit directions of features in fewer channels, (features, channels)."""
    return nn.functional.normalize(random(features, channels), dim=1)


def least_squares_readers(directions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Filters for standardised inputs that estimate each feature of h = sum f_i v_i, and the inputs' correlation."""
    covariance = directions.T @ directions
    deviation = covariance.diagonal().sqrt()
    return (directions @ torch.linalg.inv(covariance)) * deviation, covariance / torch.outer(deviation, deviation)


def test_filters_of_uncorrelated_inputs_are_their_patterns():
    filters = random(6, 5)
    assert alignment(filters, torch.eye(5).double()).item() == pytest.approx(1)
    torch.testing.assert_close(
        patterns(filters, torch.eye(5).double()), filters / filters.norm(dim=1, keepdim=True), rtol=1e-12, atol=0
    )


def test_patterns_of_least_squares_readers_are_the_directions_of_the_features():
    directions = frame(20, 8)
    filters, correlation = least_squares_readers(directions)
    found = patterns(filters, correlation)
    expected = directions / (directions.T @ directions).diagonal().sqrt()  # in units of each input's deviation
    cosine = nn.functional.cosine_similarity(found, expected, dim=1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-10)
    apart = nn.functional.cosine_similarity(filters, expected, dim=1)
    assert apart.min() < 0.95  # the filters are not
    assert 0.7 < alignment(filters, correlation).item() < 0.97


def test_a_tight_frame_of_features_hides_from_the_alignment():
    angles = 2 * math.pi * torch.arange(5, dtype=torch.float64) / 5
    filters, correlation = least_squares_readers(torch.stack([angles.cos(), angles.sin()], 1))
    assert alignment(filters, correlation).item() == pytest.approx(1)


def test_the_null_is_that_of_the_participation_ratio():
    mix = random(24, 24) * torch.exp(-torch.arange(24.0).double() / 6)
    conv = nn.Conv2d(24, 40, 1, bias=False)
    found = moments(random(400, 8, 24) @ mix.T, 20)
    value = measure_site("a", Site("projection", conv, conv), found, draws=100)[0]
    covariance = found.covariance()
    deviation = covariance.diagonal().sqrt()
    correlation = covariance / torch.outer(deviation, deviation)
    ratio = correlation.trace() ** 2 / (correlation**2).sum()
    # Weighting by variance favours loud directions, so the null is above that of the mean over directions.
    assert (ratio / 24).sqrt().item() < value.null < 1
    assert value.lower < value.value < value.upper


def test_rescaled_inputs_change_nothing():
    conv, scaled = nn.Conv2d(6, 9, 1, bias=False), nn.Conv2d(6, 9, 1, bias=False)
    scale = torch.tensor([1.0, 10, 0.1, 3, 5, 0.5])
    with torch.no_grad():
        scaled.weight.copy_(conv.weight / scale[:, None, None])
    x = random(100, 4, 6) @ random(6, 6, seed=1)
    before = measure_site("a", Site("projection", conv, conv), moments(x, 10), draws=10)
    after = measure_site("a", Site("projection", scaled, scaled), moments(x * scale, 10), draws=10)
    assert [value.value for value in after] == pytest.approx([value.value for value in before], rel=1e-5)


def test_a_fold_left_out_is_left_out():
    conv, x = nn.Conv2d(5, 7, 1, bias=False), random(60, 3, 5) @ random(5, 5, seed=1)
    found = measure_site("a", Site("projection", conv, conv), moments(x, 6), draws=10)[0]
    weight, left_out = conv.weight.detach().double().flatten(1), []
    for fold in range(6):
        covariance = torch.cov(x[torch.arange(60) % 6 != fold].flatten(0, 1).T, correction=0)
        deviation = covariance.diagonal().sqrt()
        left_out.append(alignment(weight * deviation, covariance / torch.outer(deviation, deviation)).item())
    half = 2.570582 * math.sqrt(5 / 6 * sum((value - sum(left_out) / 6) ** 2 for value in left_out))
    assert found.upper - found.lower == pytest.approx(2 * half, rel=1e-4)


def test_what_cannot_be_measured_says_why():
    conv = nn.Conv2d(5, 7, 1)
    reasons = {value.note for value in measure_site("a", Site("projection", conv, conv), None, draws=10)}
    assert reasons == {"the pointwise layer never ran"}
    constant = moments(torch.ones(20, 3, 5).double(), 5)
    reasons = {value.note for value in measure_site("a", Site("projection", conv, conv), constant, draws=10)}
    assert reasons == {"it needs 2 outputs and 2 inputs that vary"}
