"""Parts: each slot takes another layer at the right place, and nothing else changes; bad names are one line."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.models import blocks, listing
from lowparam.models.layers import LayerScale
from lowparam.models.make import SLOTS, Make
from lowparam.models.skeletons import controlled, published
from lowparam.models.skeletons.controlled import Controlled

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}


def toy(slot: str, **gives) -> SimpleNamespace:
    return SimpleNamespace(SLOT=slot, __name__="toy", **gives)


def network(part: SimpleNamespace, block: str = "mobilenetv2", width: float = 8.0) -> Controlled:
    torch.manual_seed(0)
    return Controlled(blocks.find(block), width, make=Make([part], name=f"{block}+toy"), **IMAGES)


class Twice(nn.Module):
    """Twice its input."""

    def forward(self, x):
        return 2 * x


def test_every_slot_is_tested_here():
    assert set(SLOTS) == {"kernel", "spatial", "gate", "norm", "activation", "shortcut", "down", "head"}


def test_a_spatial_part_takes_the_place_of_every_spatial_convolution():
    def make(channels, kernel, stride):
        return nn.AvgPool2d(kernel, stride, kernel // 2)

    net = network(toy("spatial", make=make))
    found = [block.depthwise.conv for row in net.stages for block in row]
    assert [(type(each), each.kernel_size, each.stride) for each in found] == [
        (nn.AvgPool2d, 3, stride) for stride in (1, 1, 2, 1, 2, 1)
    ]
    assert net(torch.rand(2, 1, 8, 8)).shape == (2, 10)


def test_a_gate_acts_on_what_the_last_pointwise_layer_reads():
    net = network(toy("gate", make=lambda channels: Twice())).eval()
    block, x = net.stages[0][1], torch.rand(2, 8, 8, 8)
    inside = block.depthwise(block.expand(x))
    torch.testing.assert_close(block(x), x + block.project(2 * inside))


def test_a_norm_takes_the_place_of_every_norm_in_the_blocks():
    net = network(toy("norm", make=lambda channels: nn.GroupNorm(1, channels)))
    assert not [module for module in net.stages.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len([module for module in net.stages.modules() if isinstance(module, nn.GroupNorm)]) == 18
    assert isinstance(net.stem.norm, nn.BatchNorm2d)
    assert net.stages[0][0].project.conv.bias is None
    assert all(site.norm is None for site in net.sites().values())  # nothing but batch norm can be folded


def test_convolutions_have_biases_where_a_part_takes_the_norms_away():
    net = controlled.build("mobilenetv2+nonorm", 8.0, **IMAGES)
    assert all(module.bias is not None for module in net.stages.modules() if isinstance(module, nn.Conv2d))


def test_an_activation_takes_the_place_of_every_activation_in_the_blocks():
    net = network(toy("activation", make=lambda channels: nn.PReLU(channels)))
    assert not [module for module in net.stages.modules() if isinstance(module, nn.ReLU6)]
    assert net.stages[0][0].expand.act.weight.shape == (48,)
    assert isinstance(net.stem.act, nn.ReLU)


def test_a_shortcut_joins_input_and_branch():
    class Difference(nn.Module):
        def forward(self, x, y):
            return x - y

    net = network(toy("shortcut", make=lambda channels: Difference())).eval()
    block, x = net.stages[0][1], torch.rand(2, 8, 8, 8)
    torch.testing.assert_close(block(x), x - block.branch(x))
    assert block.residual


def test_a_shortcut_part_may_scale_the_branch():
    net = network(toy("shortcut", scale=LayerScale)).eval()
    block, x = net.stages[0][1], torch.rand(2, 8, 8, 8)
    branch = block.project(block.depthwise(block.expand(x)))
    torch.testing.assert_close(block(x), x + 1e-6 * branch)


def test_without_a_shortcut_the_branch_is_the_output():
    net = controlled.build("nodepth_bp+noshortcut", 8.0, **IMAGES).eval()
    block, x = net.stages[1][0], torch.rand(2, 8, 8, 8)
    assert block.stride == 2
    torch.testing.assert_close(block(x), block.project(block.act(block.expand(block.norm(block.down(x))))))
    assert not any(each.residual for row in net.stages for each in row)


def test_striding_follows_a_convolution_that_strides_no_more():
    net = network(toy("down", make=lambda channels, stride: nn.AvgPool2d(stride, ceil_mode=True)))
    convolution, pooling = net.stages[1][0].depthwise.conv
    assert convolution.stride == (1, 1)
    assert isinstance(pooling, nn.AvgPool2d)
    assert isinstance(net.stages[0][0].depthwise.conv, nn.Conv2d)
    assert net.features(torch.rand(2, 1, 8, 8)).shape[2:] == (2, 2)


def test_a_head_reads_the_last_map():
    class Head(nn.Module):
        def __init__(self, features, classes, size):
            super().__init__()
            self.linear = nn.Linear(features, classes)

        def forward(self, x):
            return self.linear(x.amax((2, 3)))

    net = network(toy("head", make=Head)).eval()
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(net(images), net.classifier.linear(net.features(images).amax((2, 3))))
    assert net.head_modules() == [net.classifier]


class Doubled(nn.Module):
    """A weight of twice what is learned, which begins at half of the initial weight."""

    def forward(self, learned):
        return 2 * learned

    def right_inverse(self, weight):
        return weight / 2


@pytest.mark.parametrize("on", [("spatial",), ("pointwise",), ("spatial", "pointwise")])
def test_a_kernel_part_makes_the_weights_of_the_convolutions_it_names(on):
    torch.manual_seed(0)
    plain = controlled.build("mobilenetv2", 8.0, **IMAGES).eval()
    net = network(toy("kernel", ON=on, make=lambda shape: Doubled())).eval()
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(net(images), plain(images))  # it begins at the block's own initialisation
    learned = {name for name, _ in net.named_parameters() if "parametrizations" in name}
    count = {"spatial": 6, "pointwise": 12}
    assert len(learned) == sum(count[role] for role in on)
    net(images).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    copy = network(toy("kernel", ON=on, make=lambda shape: Doubled()))
    copy.load_state_dict(net.state_dict())


def test_a_made_kernel_is_one_layer():
    plain, made = (
        listing.layers(net, in_channels=1, size=8)
        for net in (
            controlled.build("mobilenetv2", 8.0, **IMAGES),
            network(toy("kernel", ON=("spatial",), make=lambda shape: Doubled())),
        )
    )
    assert list(plain["layer"]) == list(made["layer"])
    assert list(plain["parameters"]) == list(made["parameters"])


@pytest.mark.parametrize("part", registry.entries("models/parts"))
def test_a_part_declares_what_it_is(part):
    declared = registry.constants("models/parts", part)
    assert declared["SLOT"] in SLOTS
    assert all(isinstance(declared[key], str) and declared[key] for key in ("LABEL", "PAPER", "EQUALS"))
    assert registry.about("models/parts", part)
    assert "-" not in part


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilenetv2+layernrm", "unknown part 'layernrm': did you mean 'layernorm'"),
        ("mobilenetv2+se+se", "names the part se twice"),
        ("mobilenetv2+", r"write block\+part"),
        ("mobilenetv2+gelu+relu", "gelu and relu are both for the activation; leave one out"),
        ("mobilenetv1+noshortcut", "mobilenetv1 has no shortcut that noshortcut could take the place of"),
        ("mobilenetv2+batchnorm", r"batchnorm is what mobilenetv2 has already; leave out \+batchnorm"),
        ("mobilenetv2+noscale", "noscale is what mobilenetv2 has already"),
        ("mobilenetv3+se", "se is what mobilenetv3 has already"),
        ("mobilenetv22+se", "unknown architecture 'mobilenetv22': did you mean 'mobilenetv2'"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_one_line(name, message):
    with pytest.raises(LowparamError, match=message) as refused:
        controlled.build(name, 8.0, **IMAGES)
    assert "\n" not in str(refused.value)


def test_an_activation_and_a_probe_in_its_place_are_refused():
    with pytest.raises(LowparamError, match="gelu and a probe at s3"):
        controlled.build("mobilenetv2+gelu", 8.0, **IMAGES, probe="solu_s3")


def test_parts_go_into_the_blocks_of_published_networks():
    net = published.build("mobilenetv2_x0.1+layernorm", classes=10, in_channels=3, size=32)
    assert not [module for module in net.stages.modules() if isinstance(module, nn.BatchNorm2d)]
    assert isinstance(net.stem.norm, nn.BatchNorm2d)


def test_a_network_with_parts_meets_its_budget_and_has_costs():
    found = listing.networks(names=["mobilenetv2+se+gelu"], budget=25_000)
    assert found["mode"].item() == "controlled"
    assert abs(found["parameters"].item() - 25_000) <= 500
