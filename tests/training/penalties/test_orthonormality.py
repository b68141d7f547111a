import copy

import pytest
import torch
from torch import nn

from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training.loop import Training
from lowparam.training.penalties import orthonormality, srip
from lowparam.training.penalties.orthonormality import deviation, filters
from lowparam.training.penalties.srip import spectral_norm
from quick import RECIPE


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def network(architecture: str = "mobilenetv2") -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, 6.0, classes=10, in_channels=1, size=8)


@pytest.mark.parametrize("penalty", [orthonormality, srip])
def test_orthogonal_filters_cost_nothing_whichever_side_is_smaller(penalty):
    net = network()
    for layer in filters(net, "orthonormality"):
        nn.init.orthogonal_(layer.weight)
    assert penalty.make(net)().item() == pytest.approx(0, abs=1e-4)


def test_the_layers_are_the_dense_ones_of_the_blocks():
    layers = filters(network(), "orthonormality")
    assert {layer.groups for layer in layers} == {1}
    assert {layer.kernel_size for layer in layers} == {(1, 1)}  # neither the stem nor depthwise filters
    assert len(layers) == len({id(layer) for layer in layers}) == 12  # two in each of six blocks
    with pytest.raises(LowparamError, match=r"penalties.srip: this architecture has no dense filters; leave it out"):
        filters(nn.Sequential(nn.Conv2d(3, 3, 3, groups=3)), "srip")


def test_wider_than_tall_filters_are_compared_on_the_side_that_can_be_orthonormal():
    weight = random(5, 3, 2, 2)
    rows = weight.flatten(1)
    assert deviation(weight).shape == (5, 5)
    torch.testing.assert_close(deviation(weight), rows @ rows.T - torch.eye(5).double())
    assert deviation(random(9, 4, 1, 1)).shape == (4, 4)


def test_the_gradient_is_that_of_the_closed_form_and_a_permutation_of_filters_changes_nothing():
    weight = random(4, 7, 1, 1).requires_grad_()
    loss = deviation(weight).square().sum() / 2
    loss.backward()
    rows = weight.detach().flatten(1)
    torch.testing.assert_close(weight.grad.flatten(1), 2 * (rows @ rows.T - torch.eye(4).double()) @ rows)
    permuted = deviation(weight.detach()[[2, 0, 3, 1]]).square().sum() / 2
    torch.testing.assert_close(permuted, loss.detach())


def test_power_iteration_bounds_the_spectral_norm_and_approaches_it():
    matrix = random(8, 8)
    matrix = matrix + matrix.T
    truth = torch.linalg.matrix_norm(matrix, 2)
    torch.manual_seed(0)
    two, many = spectral_norm(matrix), spectral_norm(matrix, steps=200)
    assert 0.5 * truth < two <= truth + 1e-9
    torch.testing.assert_close(many, truth, rtol=1e-3, atol=0)


def test_the_gradient_of_the_estimate_is_that_of_finite_differences():
    weight = random(3, 5, 1, 1).requires_grad_()

    def estimate(weight):
        torch.manual_seed(1)
        return spectral_norm(deviation(weight))

    assert torch.autograd.gradcheck(estimate, weight)


@pytest.mark.parametrize("penalty", ["orthonormality", "srip"])
def test_a_dose_moves_the_filters_towards_orthonormality_and_resumes_to_the_same_bits(penalty, dataset):
    def training(weight: float) -> Training:
        recipe = {**RECIPE, "ema": None, "epochs": 4, "penalties": {penalty: weight}}
        return Training(network(), dataset, Recipe.model_validate(recipe), seed=0, device=torch.device("cpu"))

    def after(run: Training) -> float:
        while not run.finished:
            run.run_epoch()
        return sum(deviation(layer.weight).square().sum().item() for layer in filters(run.net, penalty))

    without, dosed = after(training(0.0)), training(0.03)
    dosed.run_epoch(), dosed.run_epoch()
    state = {"net": copy.deepcopy(dosed.net.state_dict()), "optimizer": copy.deepcopy(dosed.optimizer.state_dict())}
    assert after(dosed) < 0.8 * without
    resumed = training(0.03)
    resumed.net.load_state_dict(state["net"]), resumed.optimizer.load_state_dict(state["optimizer"])
    resumed.epoch = 2
    resumed.go_to_step(2 * resumed.steps_per_epoch)
    after(resumed)
    pairs = zip(resumed.net.state_dict().values(), dosed.net.state_dict().values(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
