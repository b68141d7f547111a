"""The penalty on evenly spread coefficients of a product of two branches."""

import pytest
import torch

from lowparam.errors import LowparamError
from lowparam.models.skeletons import controlled
from lowparam.training.penalties.coefficients import branches, make, spread


def network(name):
    torch.manual_seed(0)
    return controlled.build(name, 6.0, classes=10, in_channels=1, size=8)


def rows(*values):
    return torch.tensor(values)[..., None, None]


def test_it_is_one_for_coefficients_of_one_size_and_one_over_their_number_for_a_single_one():
    even, single = rows([1.0, -1, 1, -1]), rows([0.0, 3, 0, 0])
    assert spread(even, 5 * even).item() == pytest.approx(1)
    assert spread(single, single).item() == pytest.approx(1 / 4)
    assert spread(torch.cat((even, single)), torch.cat((even, single))).item() == pytest.approx((1 + 1 / 4) / 2)


def test_it_is_the_l1_over_the_l2_norm_of_all_coefficients():
    first, second = torch.rand(1, 5, 1, 1) - 0.5, torch.rand(1, 5, 1, 1) - 0.5
    coefficients = torch.outer(first.flatten(), second.flatten())
    expected = coefficients.abs().sum() / coefficients.norm() / 5
    torch.testing.assert_close(spread(first, second), expected)


@pytest.mark.parametrize("name", ["starnet", "starcoef", "demonet_star"])
def test_a_step_along_its_gradient_makes_the_products_of_a_network_less_even(name):
    net = network(name)
    penalty = make(net)
    before = penalty()
    before.backward()
    with torch.no_grad():
        for first, second in branches(net):
            for layer in (first, second):
                layer.weight -= layer.weight.grad
    assert penalty() < before


def test_a_network_without_products_of_branches_is_refused_in_one_line():
    with pytest.raises(LowparamError, match=r"penalties\.coefficients: this architecture multiplies no branches"):
        make(network("starnet_sum"))
