import math

import pytest
import torch

from lowparam.interference.measures.sparse_features import agreement, gaussian_like, measure_site, standardise, train
from lowparam.models.blocks import Site
from lowparam.studies.toy.tasks import sparse_features, train_identity


def codes(n: int, density: float, m: int = 20) -> torch.Tensor:
    """Hidden codes (20000, m) of a trained toy model with n features."""
    models = train_identity(n, m, torch.full((3,), density))
    x = sparse_features(20_000, torch.tensor([density]), n, torch.Generator().manual_seed(7))[0]
    return x @ models.weight[models.loss.argmin()].T


@pytest.mark.slow
@pytest.mark.parametrize(("n", "tolerance"), [(20, 2), (40, 1)])
def test_features_are_counted_up_to_two_a_dimension(n, tolerance):
    x = standardise(codes(n, 0.03))[0]
    assert train(x, 80).features == pytest.approx(n, abs=tolerance)


@pytest.mark.slow
def test_gaussian_data_without_features_give_two_a_dimension():
    x = torch.randn(20_000, 20, generator=torch.Generator().manual_seed(0))
    found = train(standardise(x)[0], 80)
    assert found.features == pytest.approx(40, abs=1)
    assert found.l0 > 10


@pytest.mark.slow
def test_gates_refuse_gaussian_data():
    x = torch.randn(5_000, 8, generator=torch.Generator().manual_seed(0))
    values = {v.measure: v for v in measure_site("a", Site("projection", torch.nn.Identity()), x, steps=3000)}
    assert math.isnan(values["sae_features"].value)
    assert "not identifiable" in values["sae_features"].note
    assert values["sae_sparsity_gain"].value == pytest.approx(1, abs=0.05)


def test_surrogates_have_the_covariance_of_the_data():
    x = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(0)).relu() @ torch.randn(5, 5) + 3
    y = gaussian_like(x)
    assert torch.allclose(torch.cov(y.T), torch.cov(x.T), atol=0.15 * torch.cov(x.T).abs().max())
    assert torch.allclose(y.mean(0), x.mean(0), atol=0.1)


def test_standardised_vectors_have_mean_zero_and_mean_square_one():
    x, factor = standardise(torch.randn(100, 7) * 3 + 5)
    assert x.mean(0).abs().max() < 1e-5
    assert (x**2).mean().item() == pytest.approx(1, rel=1e-5)
    assert factor == pytest.approx(1 / 3, rel=0.2)


def test_a_dictionary_agrees_with_itself():
    found = train(standardise(torch.randn(500, 4))[0], 16, steps=50)
    assert agreement(found, found) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("x", "reason"), [(torch.ones(50, 3), "no channel varies"), (torch.full((50, 3), math.nan), "not finite")]
)
def test_what_has_no_features_is_undefined(x, reason):
    value = measure_site("a", Site("projection", torch.nn.Identity()), x, steps=100)[0]
    assert reason in value.note
