"""A recipe's loss is made from logits, or for a network whose feature maps it reads."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.params import Recipe
from lowparam.training import losses

RECIPE = {"epochs": 1, "batch_size": 1, "lr": 0.1}


def test_a_loss_on_logits_is_the_same_with_a_network():
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    recipe = Recipe(**RECIPE, label_smoothing=0.1)
    assert losses.make_for(recipe, nn.Identity())(logits, labels) == losses.make(recipe)(logits, labels)


def energy(net, *, label_smoothing, weight=1.0):
    """Return a loss that is the mean square of the maps of a network, and no function of the logits."""
    maps = []
    net[0].register_forward_hook(lambda layer, inputs, output: maps.append(output))
    return lambda logits, targets: weight * maps.pop().square().mean()


def test_a_loss_on_feature_maps_reads_those_of_the_last_pass(monkeypatch):
    monkeypatch.setattr(registry, "load", lambda folder, name: SimpleNamespace(make_for_network=energy))
    net = nn.Sequential(nn.Identity(), nn.Flatten())
    loss = losses.make_for(Recipe(**RECIPE, loss_options={"weight": 2.0}), net)
    images = torch.full((1, 1, 2, 2), 3.0)
    assert loss(net(images), None).item() == 18.0


def test_an_unknown_option_of_a_loss_on_feature_maps_is_named(monkeypatch):
    monkeypatch.setattr(registry, "load", lambda folder, name: SimpleNamespace(make_for_network=energy))
    with pytest.raises(LowparamError, match=r"recipe key loss_options: cross_entropy: .*'weights'"):
        losses.make_for(Recipe(**RECIPE, loss_options={"weights": 2.0}), nn.Sequential(nn.Identity()))
