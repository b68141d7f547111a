"""What losses on the last feature map have in common: which map it is, and how a training runs with them."""

import copy
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lowparam.errors import LowparamError
from lowparam.models.layers.fast import accelerate
from lowparam.models.skeletons import published
from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training import losses
from lowparam.training.loop import Training
from lowparam.training.losses import bias, rate_reduction
from lowparam.training.losses._last_map import keep_last_map
from quick import AUGMENT, RECIPE

BOTH = pytest.mark.parametrize("loss", ["bias", "rate_reduction"])
LABELS = torch.arange(12) % 10


def network(architecture: str = "mobilenetv2") -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, 6.0, classes=10, in_channels=1, size=8)


def images(channels: int = 1, size: int = 8) -> torch.Tensor:
    return torch.randn(12, channels, size, size, generator=torch.Generator().manual_seed(0))


def made(loss: str, net: nn.Module, **options: float) -> losses.Loss:
    recipe = {**RECIPE, "loss": loss, "label_smoothing": 0.1, "loss_options": options}
    return losses.make_for(Recipe.model_validate(recipe), net)


@pytest.mark.parametrize("architecture", ["mobilenetv1", "mobilenetv2", "convnext", "mobilenetv2+gramian"])
def test_it_is_the_map_that_a_controlled_network_pools_with_fast_layers_too(architecture):
    net = network(architecture)
    accelerate(net)
    last_map, seen = keep_last_map(net, "bias"), []
    net.classifier.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net(images())
    read = last_map()
    assert torch.equal(read if net.reads_map else read.mean((2, 3)), seen[0])


def test_it_is_the_map_that_a_published_network_pools():
    net = published.build("mobilenetv2_x0.1", classes=10, in_channels=3, size=32)
    last_map, seen = keep_last_map(net, "bias"), []
    net.head.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net(images(3, 32))
    assert torch.equal(last_map().mean((2, 3)), seen[0])


@BOTH
def test_a_network_that_does_not_name_its_map_is_refused_in_one_line(loss):
    with pytest.raises(LowparamError, match=rf"^recipe key loss: {loss} reads the map that is pooled, .*another loss$"):
        made(loss, nn.Linear(2, 2))


@BOTH
def test_an_unknown_option_is_named(loss):
    with pytest.raises(LowparamError, match=rf"recipe key loss_options: {loss}: .*'gama'"):
        made(loss, network(), gama=1.0)


def test_without_weight_both_are_cross_entropy_with_labels_and_with_mixed_ones():
    net = network()
    for targets in (LABELS, torch.softmax(torch.randn(12, 10), 1)):
        for loss, options in (("bias", {"alpha": 1.0, "beta": 0.0}), ("rate_reduction", {"weight": 0.0})):
            value = made(loss, net, **options)(logits := net(images()), targets)
            torch.testing.assert_close(value, F.cross_entropy(logits, targets, label_smoothing=0.1))


@BOTH
def test_the_map_of_an_evaluation_is_not_kept_alive_and_that_of_training_until_it_is_read(loss):
    net, alive = network(), []
    value = made(loss, net)
    net.stages.register_forward_hook(lambda module, args, output: alive.append(weakref.ref(output)))
    with torch.no_grad():
        net.eval()(images())
    value(net.train()(images()), LABELS).detach()
    assert [reference() for reference in alive] == [None, None]


@BOTH
def test_bfloat16_maps_are_read_in_float32(loss):
    net = network()
    value = made(loss, net)
    plain = value(net(images()), LABELS)
    with torch.autocast("cpu", torch.bfloat16):
        half = value(net(images()), LABELS)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(plain.item(), rel=0.05)


def training(dataset, loss: str) -> Training:
    recipe = Recipe.model_validate({**RECIPE, "loss": loss, "augment": AUGMENT})
    return Training(network(), dataset, recipe, seed=0, device=torch.device("cpu"))


@BOTH
def test_a_training_with_mixed_labels_and_averaged_weights_resumes_to_the_same_bits(loss, dataset):
    names = ("net", "average", "optimizer")
    run, resumed = training(dataset, loss), training(dataset, loss)
    run.run_epoch()
    state = {name: copy.deepcopy(getattr(run, name).state_dict()) for name in names}
    for name in names:
        getattr(resumed, name).load_state_dict(state[name])
    resumed.epoch = 1
    resumed.go_to_step(resumed.steps_per_epoch)
    assert run.run_epoch() == resumed.run_epoch()
    pairs = zip(run.net.state_dict().values(), resumed.net.state_dict().values(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_the_reduction_of_a_network_rises_with_its_weight():
    reached = []
    for weight in (0.0, 1.0):
        net = network()
        value, optimizer = made("rate_reduction", net, weight=weight), torch.optim.AdamW(net.parameters(), 0.01)
        for _ in range(8):
            optimizer.zero_grad()
            value(net(images()), LABELS).backward()
            optimizer.step()
        features = net.features(images()).mean((2, 3))
        reached.append(rate_reduction.reduction(features, F.one_hot(LABELS, 10).float()).item())
    assert reached[1] > 1.1 * reached[0]


def test_the_control_of_the_bias_loss_has_its_mean_weight_in_a_network():
    net = network()
    value = made("bias", net, even=1.0)
    logits = net(images())
    expected = bias.weights(net.features(images()), 0.3, 0.3).mean() * F.cross_entropy(
        logits, LABELS, label_smoothing=0.1
    )
    torch.testing.assert_close(value(logits, LABELS), expected, rtol=1e-4, atol=0)
