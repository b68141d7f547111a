"""The published networks compute what the implementations of others compute on the same weights."""

import pytest
import timm
import torch
import torchvision
from pytorchcv.models.pyramidnet_cifar import get_pyramidnet_cifar
from pytorchcv.models.wrn_cifar import get_wrn_cifar
from timm.models import efficientnet
from torch import Tensor, nn

from lowparam.models.skeletons import published


def in_order(net: nn.Module) -> list[Tensor]:
    """All weights and running statistics in the order in which the modules were registered."""
    return [tensor for name, tensor in net.state_dict().items() if not name.endswith("num_batches_tracked")]


def convnext_in_order(net: nn.Module) -> list[Tensor]:
    """The weights of timm's ConvNeXt in our order: its layer scale and GRN stand elsewhere in the state."""
    tensors = in_order(net.stem)
    for stage in net.stages:
        tensors += in_order(stage.downsample)
        for block in stage.blocks:
            respond = [block.mlp.grn.weight, block.mlp.grn.bias] if hasattr(block.mlp, "grn") else []
            modules = [block.conv_dw, block.norm, block.mlp.fc1]
            tensors += [tensor for module in modules for tensor in in_order(module)]
            tensors += [*respond, *in_order(block.mlp.fc2)]
            tensors += [] if block.gamma is None else [block.gamma]
    return [*tensors, *in_order(net.head.norm), *in_order(net.head.fc)]


def wideresnet_in_order(net: nn.Module) -> list[Tensor]:
    """The weights of pytorchcv's Wide ResNet in our order: the convolution of a shortcut comes last in a block."""
    tensors = in_order(net.features.init_block)
    for stage in (net.features.stage1, net.features.stage2, net.features.stage3):
        for unit in stage:
            tensors += in_order(unit.body)
            tensors += in_order(unit.identity_conv) if unit.resize_identity else []
    return [*tensors, *in_order(net.features.post_activ), *in_order(net.output)]


def swiftformer_in_order(net: nn.Module) -> list[Tensor]:
    """The weights of timm's SwiftFormer in our order, with the mean of its two classifiers, which is what it uses."""
    tensors = in_order(net.stem)
    for stage in net.stages:
        tensors += in_order(stage.downsample)
        for block in stage.blocks:
            if hasattr(block, "attn"):
                modules = [block.local_representation, block.attn, block.layer_scale_1, block.linear]
                tensors += [tensor for module in [*modules, block.layer_scale_2] for tensor in in_order(module)]
            else:
                tensors += in_order(block)
    means = [(one + other) / 2 for one, other in zip(in_order(net.head), in_order(net.head_dist), strict=True)]
    return [*tensors, *in_order(net.norm), *means]


def timm_net(name, **kwargs):
    return lambda: timm.create_model(name, num_classes=10, **kwargs)


def torchvision_net(name, **kwargs):
    return lambda: torchvision.models.get_model(name, weights=None, num_classes=10, dropout=0.0, **kwargs)


def shufflenet(name):
    return lambda: torchvision.models.get_model(name, weights=None, num_classes=10)


REFERENCES = {
    "mobilenetv1_x0.25": (lambda: efficientnet._gen_mobilenet_v1("mobilenetv1_100", 0.25, num_classes=10), in_order),
    "mobilenetv1_x1.0": (timm_net("mobilenetv1_100"), in_order),
    "mobilenetv2_x0.35": (timm_net("mobilenetv2_035"), in_order),
    "mobilenetv2_x0.25": (torchvision_net("mobilenet_v2", width_mult=0.25), in_order),
    "mobilenetv2_x1.4": (torchvision_net("mobilenet_v2", width_mult=1.4), in_order),
    "mobilenetv3_small_scaled_x0.5": (torchvision_net("mobilenet_v3_small", width_mult=0.5), in_order),
    "mobilenetv3_large_scaled_x0.35": (torchvision_net("mobilenet_v3_large", width_mult=0.35), in_order),
    "mobilenetv3_small_timm_x0.5": (timm_net("mobilenetv3_small_050", bn_eps=1e-3), in_order),
    "mobilenetv3_small_timm_x0.75": (timm_net("mobilenetv3_small_075", bn_eps=1e-3), in_order),
    "mobilenetv3_small_1024_x1.0": (timm_net("mobilenetv3_small_100", bn_eps=1e-3), in_order),
    "mobilenetv3_large_1280_x1.0": (timm_net("mobilenetv3_large_100", bn_eps=1e-3), in_order),
    "convnext_w16": (
        lambda: timm.models.ConvNeXt(num_classes=10, depths=(2, 2, 6, 2), dims=(16, 32, 64, 128)),
        convnext_in_order,
    ),
    "convnext_atto": (timm_net("convnext_atto"), convnext_in_order),
    "convnext_atto_ols": (timm_net("convnext_atto_ols"), convnext_in_order),
    "convnextv2_atto": (timm_net("convnextv2_atto"), convnext_in_order),
    "swiftformer_xs": (timm_net("swiftformer_xs"), swiftformer_in_order),
    "shuffleunit_x0.5": (shufflenet("shufflenet_v2_x0_5"), in_order),
    "shuffleunit_x1.0": (shufflenet("shufflenet_v2_x1_0"), in_order),
    "starnet_s050": (timm_net("starnet_s050"), in_order),
    "starnet_s100": (timm_net("starnet_s100"), in_order),
    "starnet_s4": (timm_net("starnet_s4"), in_order),
    "efficientnet_b0": (timm_net("efficientnet_b0", bn_eps=1e-3), in_order),
    "efficientnet_phim8": (
        lambda: efficientnet._gen_efficientnet("b0", 1.1**-8, 1.2**-8, num_classes=10, bn_eps=1e-3),
        in_order,
    ),
}
# Networks for images of 32 x 32, whose references take no others.
CIFAR = {
    "wideresnet_16_1": (lambda: get_wrn_cifar(10, blocks=16, width_factor=1), wideresnet_in_order),
    "wideresnet_10_2": (lambda: get_wrn_cifar(10, blocks=10, width_factor=2), wideresnet_in_order),
    "pyramidnet_20_a24": (lambda: get_pyramidnet_cifar(10, blocks=20, alpha=24, bottleneck=False), in_order),
}
CORE = (
    "mobilenetv1_x0.25",
    "mobilenetv2_x0.25",
    "mobilenetv3_small_scaled_x0.5",
    "mobilenetv3_small_timm_x0.5",
    "convnext_w16",
    "convnextv2_atto",
    "starnet_s050",
    "efficientnet_phim8",
)
CASES = [
    pytest.param(name, size, marks=() if name in CORE else pytest.mark.slow)
    for name in REFERENCES
    for size in (96, 128)
]
CASES += [(name, 32) for name in CIFAR]


def randomise(net: nn.Module, size: int) -> None:
    """Give every weight a value that no initialisation has, and the running statistics those of some images."""
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        if parameter.numel() == max(parameter.shape):  # biases, and the factors of norms, scales and GRN
            parameter.data.add_(torch.rand(parameter.shape, generator=generator)).sub_(0.3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.9
    net.train()(torch.randn(8, 3, size, size, generator=generator))


def a_pair(name: str, size: int) -> tuple[nn.Module, nn.Module]:
    """Our network and the reference with the same random weights, in double precision."""
    torch.manual_seed(0)
    make, order = (REFERENCES | CIFAR)[name]
    ours, theirs = published.build(name, classes=10, in_channels=3, size=32 if name in CIFAR else 224), make()
    randomise(theirs, size)
    mine, given = in_order(ours), order(theirs)
    assert [tensor.numel() for tensor in mine] == [tensor.numel() for tensor in given]
    with torch.no_grad():
        for target, source in zip(mine, given, strict=True):
            target.copy_(source.reshape(target.shape))
    return ours.double(), theirs.double()


@pytest.mark.parametrize(("name", "size"), CASES)
def test_outputs_equal_the_reference_on_the_same_weights(name, size):
    ours, theirs = a_pair(name, size)
    images = torch.randn(4, 3, size, size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    for training in (False, True):
        ours.train(training), theirs.train(training)
        with torch.no_grad():
            given, expected = ours(images), theirs(images)
        spread = expected.std(dim=0).mean()  # how much the images matter: a smaller error is no error
        assert (given - expected).abs().max() < 1e-5 * spread, f"in {'train' if training else 'eval'} mode"
