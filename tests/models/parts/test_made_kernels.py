"""Kernels made from something smaller: what each equals in a special case, and how much it learns."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

from lowparam.errors import LowparamError
from lowparam.models.cost import count_parameters
from lowparam.models.parts import flexconv, hypernetwork, oneway, oneway_layer, pcn, pranc_bin, sic, smpconv, tucker
from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training.optimizer import make_optimizer

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}
RECIPE = Recipe(epochs=1, batch_size=2, lr=0.1, weight_decay=0.2)


def made(part, shape: tuple[int, ...], **options) -> parametrize.ParametrizationList:
    """Return the parametrization of a weight of this shape, as `Make` registers it."""
    torch.manual_seed(0)
    conv = nn.Conv2d(shape[1], shape[0], shape[2:], bias=False)
    parametrize.register_parametrization(conv, "weight", part.make(shape, **options), unsafe=True)
    return conv.parametrizations["weight"]


def learned(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_points_on_the_grid_are_a_plain_kernel_and_move_by_one_tap():
    kernel = made(smpconv, (4, 2, 3, 3), size=3, points=9)
    grid = torch.cartesian_prod(torch.linspace(-1, 1, 3), torch.linspace(-1, 1, 3))
    with torch.no_grad():
        kernel.original1.copy_(grid)
        kernel.original2.fill_(2 / (3 - 1))
    plain = kernel.original0.view(4, 2, 3, 3)
    torch.testing.assert_close(kernel(), plain, rtol=0, atol=1e-6)
    with torch.no_grad():
        kernel.original1[:, 1] += 1
    torch.testing.assert_close(kernel()[..., 1:], plain[..., :-1], rtol=0, atol=1e-6)
    assert not kernel()[..., 0].any()


def test_moving_points_count_as_published_and_their_radii_are_clipped_while_training():
    kernel = made(smpconv, (32, 1, 3, 3))
    assert learned(kernel) == 32 * 9 + 3 * 9
    assert kernel().shape == (32, 1, 5, 5)
    with torch.no_grad():
        kernel.original2[0], kernel.original2[1] = 7.0, -7.0
    kernel.eval()()
    assert kernel.original2[0] == 7
    kernel.train()()
    assert kernel.original2[:2].tolist() == [1.0, pytest.approx(1e-3)]


def test_a_wide_mask_leaves_the_kernel_of_the_network():
    kernel = made(flexconv, (4, 1, 3, 3), size=7)
    with torch.no_grad():
        kernel[0].deviation.fill_(1e4)
    torch.testing.assert_close(kernel(), kernel[0].network(), rtol=0, atol=1e-6)
    assert learned(kernel) == 3 * 7 * 8 + 2 * (64 + 8) + 9 * 4 + 4
    assert learned(made(flexconv, (6, 5, 3, 3), units=32, layers=3)) == 4064 + 33 * 30 + 4


@pytest.mark.parametrize("size", [7, 33])
def test_the_mask_begins_over_five_positions(size):
    mask = made(flexconv, (4, 1, 3, 3), size=size)[0].mask()
    row = mask[size // 2] / mask.max()
    assert ((row > 0.1).sum(), row[size // 2]) == (5, 1)
    torch.testing.assert_close(mask, mask.T)


def test_a_finer_grid_reads_the_same_network():
    coarse = made(flexconv, (4, 1, 3, 3), size=7)[0]
    fine = copy.deepcopy(coarse)
    fine.size = 13
    torch.testing.assert_close(fine()[..., ::2, ::2], coarse(), rtol=0, atol=1e-5)


def test_a_constant_network_is_a_filter_of_the_masks_shape():
    kernel = made(flexconv, (4, 1, 3, 3))[0]
    nn.init.zeros_(kernel.last.weight)
    nn.init.ones_(kernel.last.bias)
    torch.testing.assert_close(kernel(), kernel.mask().expand(4, 1, 7, 7))


def test_one_way_filters_are_a_column_and_a_row():
    kernel, x = made(oneway, (5, 1, 3, 3)), torch.randn(2, 5, 7, 7)
    column = F.conv2d(x, kernel.original0.view(5, 1, 3, 1), padding=(1, 0), groups=5)
    both = F.conv2d(column, kernel.original1.view(5, 1, 1, 3), padding=(0, 1), groups=5)
    torch.testing.assert_close(F.conv2d(x, kernel(), padding=1, groups=5), both, rtol=1e-5, atol=1e-5)
    assert learned(kernel) == 2 * 3 * 5


@pytest.mark.parametrize("rank", [1, 2])
def test_the_rank_of_one_way_filters_is_what_was_asked_for(rank):
    kernel = made(oneway, (5, 4, 3, 3), rank=rank)
    assert torch.linalg.matrix_rank(kernel().detach()).unique().tolist() == [rank]


def test_one_way_filters_of_full_rank_are_any_kernel():
    kernel, wanted = made(oneway, (5, 4, 3, 3), rank=3), torch.randn(5, 4, 3, 3)
    u, s, v = torch.linalg.svd(wanted)
    with torch.no_grad():
        kernel.original0.copy_((u * s[..., None, :]).mT)
        kernel.original1.copy_(v)
    torch.testing.assert_close(kernel(), wanted, rtol=0, atol=1e-5)


def test_one_way_filters_of_a_layer_are_two_convolutions():
    kernel, x = made(oneway_layer, (6, 4, 3, 3), between=5), torch.randn(2, 4, 7, 7)
    column = F.conv2d(x, kernel.original0[..., None], padding=(1, 0))
    both = F.conv2d(column, kernel.original1[:, :, None], padding=(0, 1))
    torch.testing.assert_close(F.conv2d(x, kernel(), padding=1), both, rtol=1e-5, atol=1e-5)
    assert learned(kernel) == 3 * 5 * (4 + 6)


@pytest.mark.parametrize("part", [oneway, oneway_layer])
def test_one_way_filters_begin_with_the_variance_of_he(part):
    torch.manual_seed(0)
    assert made(part, (64, 32, 3, 3))().std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.1)


@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (8, 6, 1, 1)])
def test_tucker_form_is_three_convolutions_and_any_kernel_at_full_rank(shape):
    padding = shape[2] // 2
    kernel, x = made(tucker, shape), torch.randn(2, 6, 7, 7)
    core, out, inputs = kernel.original0, kernel.original1, kernel.original2
    r1, r2 = core.shape[:2]
    assert (r1, r2) == ((4, 3) if padding else (3, 3))
    assert learned(kernel) == r1 * r2 * shape[2] ** 2 + 8 * r1 + 6 * r2
    between = F.conv2d(F.conv2d(x, inputs.T[:, :, None, None]), core, padding=padding)
    expected = F.conv2d(between, out[:, :, None, None])
    torch.testing.assert_close(F.conv2d(x, kernel(), padding=padding), expected, rtol=1e-5, atol=1e-5)
    whole = made(tucker, shape, share=1.0)()
    torch.manual_seed(0)
    torch.testing.assert_close(whole, nn.Conv2d(6, 8, shape[2], bias=False).weight, rtol=0, atol=1e-6)


def test_a_residual_depthwise_kernel_adds_its_input():
    kernel, x = made(sic, (5, 1, 3, 3)), torch.randn(2, 5, 7, 7)
    expected = x + F.conv2d(x, kernel.original, padding=1, groups=5)
    torch.testing.assert_close(F.conv2d(x, kernel(), padding=1, groups=5), expected)


@pytest.mark.parametrize(("part", "block"), [("oneway_layer", "mobilenetv2"), ("sic", "nodepth_b")])
def test_a_part_for_other_kernels_than_the_block_has_is_refused(part, block):
    with pytest.raises(LowparamError, match=f"{block} has no kernel of a convolution that {part}"):
        build(f"{block}+{part}", 8.0, **IMAGES)


def test_the_wave_is_the_published_one():
    x = torch.tensor([0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
    torch.testing.assert_close(pcn.wave(x), torch.tensor([-0.5, 0.0, 0.5, 0.0, -0.5, 0.5]), rtol=0, atol=1e-5)


def test_weights_from_points_ignore_rotations_and_share_the_channels_in_between():
    torch.manual_seed(0)
    shapes = [(48, 8, 1, 1), (8, 48, 1, 1), (32, 8, 1, 1), (8, 8, 1, 1)]
    points = pcn.share(shapes, dimensions=4).double()
    assert learned(points) == 4 * (8 + 48 + 8 + 32 + 8 + 8)  # the last layer reads no channels of the one before
    layers = [pcn.make(shape, points, index) for index, shape in enumerate(shapes)]
    before = [layer() for layer in layers]
    assert [weight.shape for weight in before] == [torch.Size(shape) for shape in shapes]
    assert all(weight.abs().max() <= 0.5 / shape[1] ** 0.5 for weight, shape in zip(before, shapes, strict=True))
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.double))
    with torch.no_grad():
        for group in points.groups:
            group.copy_(group @ rotation + 3)
    for layer, weight in zip(layers, before, strict=True):
        torch.testing.assert_close(layer(), weight, rtol=0, atol=1e-5)


def test_weights_from_points_vary_as_a_uniform_wave():
    torch.manual_seed(0)
    points = pcn.share([(96, 64, 1, 1)])
    weight = pcn.make((96, 64, 1, 1), points, 0)()
    assert weight.std().item() == pytest.approx((1 / 12) ** 0.5 / 8, rel=0.1)
    assert torch.linalg.matrix_rank(weight.flatten(1)) == 64


def test_a_hypernetwork_has_the_published_count_and_is_affine_in_its_codes():
    assert learned(hypernetwork.share([], tile=16, code=64)) == 64 * 65 * 16 + 16 * 65  # d (z + 1) b + b (d + 1)
    network = hypernetwork.share([(20, 12, 1, 1)], tile=8, code=16)
    assert learned(network) == 8 * 16 * 17 + 8 * 17
    kernel = hypernetwork.make((20, 12, 1, 1), network, 0)
    codes = kernel.right_inverse(torch.randn(20, 12, 1, 1))
    assert codes.shape == (3 * 2, 16)
    weight = kernel(codes)
    assert weight.shape == (20, 12, 1, 1)
    a, b = torch.randn_like(codes), torch.randn_like(codes)
    torch.testing.assert_close(kernel(codes + a) - kernel(codes), kernel(b + a) - kernel(b), rtol=1e-4, atol=1e-4)


def test_a_hypernetwork_of_one_tile_and_long_codes_makes_any_weight():
    network = hypernetwork.share([(4, 4, 1, 1)], tile=4, code=16)
    kernel, wanted = hypernetwork.make((4, 4, 1, 1), network, 0), torch.randn(4, 4, 1, 1)
    constant = kernel(torch.zeros(1, 16)).flatten()
    columns = torch.stack([kernel(code[None]).flatten() - constant for code in torch.eye(16)], 1)
    code = torch.linalg.solve(columns, wanted.flatten() - constant)
    torch.testing.assert_close(kernel(code[None]), wanted, rtol=0, atol=1e-2)


def test_a_hypernetwork_begins_as_the_plain_layer():
    torch.manual_seed(0)
    network = hypernetwork.share([(96, 64, 1, 1)])
    kernel, plain = hypernetwork.make((96, 64, 1, 1), network, 0), nn.Conv2d(64, 96, 1).weight
    assert kernel(kernel.right_inverse(plain)).std().item() == pytest.approx(plain.std().item(), rel=0.3)


def test_numbers_are_used_equally_often_at_the_same_places_in_every_run():
    shapes = [(48, 8, 1, 1), (48, 1, 3, 3)]
    first, second = (pranc_bin.share(shapes) for _ in range(2))
    weights = 48 * 8 + 48 * 9
    assert learned(first) == weights / 4
    assert first.places.bincount().unique().tolist() == [4]
    assert torch.equal(first.places, second.places)
    kernels = [pranc_bin.make(shape, first, index)() for index, shape in enumerate(shapes)]
    assert [tuple(kernel.shape) for kernel in kernels] == shapes
    everything = torch.cat([kernel.flatten() for kernel in kernels])
    torch.testing.assert_close(everything, first.numbers[first.places], rtol=0, atol=0)


def test_the_gradient_of_a_number_is_the_sum_over_its_places():
    numbers = pranc_bin.share([(6, 4, 1, 1)])
    weight, g = pranc_bin.make((6, 4, 1, 1), numbers, 0)(), torch.randn(6, 4, 1, 1)
    weight.backward(g)
    expected = torch.zeros(6).index_add(0, numbers.places, g.flatten())
    torch.testing.assert_close(numbers.numbers.grad, expected)


def test_free_numbers_are_free_weights():
    assert pranc_bin.share([(6, 4, 1, 1)], ratio=1).places.unique().numel() == 24


@pytest.mark.parametrize("part", ["pcn", "hypernetwork", "pranc_bin"])
def test_what_all_kernels_share_belongs_to_the_network_once(part):
    net = build(f"mobilenetv2+{part}", 8.0, **IMAGES)
    shared = {id(p) for p in net.shared_kernel.parameters()}
    assert sum(id(p) in shared for p in net.parameters()) == len(shared)
    assert len([name for name in net.state_dict() if name.startswith("shared_kernel")]) == len(shared)
    assert count_parameters(net).total == sum(p.numel() for p in net.parameters())
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in twin.shared_kernel.parameters():
            parameter.mul_(3)
    images = torch.rand(2, 1, 8, 8)
    conv = "stages.2.1.project.conv"
    assert not torch.equal(net.get_submodule(conv).weight, twin.get_submodule(conv).weight)
    net.load_state_dict(twin.state_dict())
    torch.testing.assert_close(net.eval()(images), twin.eval()(images), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("part", "decays", "rests"),
    [
        ("hypernetwork", ["shared_kernel.first.weight", "original"], ["shared_kernel.first.bias"]),
        ("pcn", [], ["shared_kernel.groups.0"]),
        ("pranc_bin", ["shared_kernel.numbers"], []),
        ("flexconv", ["0.mixing.0.weight", "0.filters.0.weight"], ["0.filters.0.mu", "0.mixing.0.bias", "0.deviation"]),
        ("smpconv", ["original0"], ["original1", "original2"]),
        ("oneway", ["original0", "original1"], []),
        ("tucker", ["original0", "original1", "original2"], []),
    ],
)
def test_weights_decay_and_positions_do_not(part, decays, rests):
    net = build(f"mobilenetv2+{part}", 8.0, **IMAGES)
    groups = make_optimizer(net, RECIPE).param_groups
    names = {parameter: name for name, parameter in net.named_parameters()}
    assert sorted(names[p] for group in groups for p in group["params"]) == sorted(names.values())
    decay = {names[p]: group["weight_decay"] for group in groups for p in group["params"]}
    for ends, expected in ((decays, 0.2), (rests, 0.0)):
        for end in ends:
            found = {decay[name] for name in decay if name.endswith(end)}
            assert found == {expected}, end


@pytest.mark.parametrize(("part", "ends"), [("flexconv", ("mean", "deviation")), ("smpconv", ("original2",))])
def test_masks_and_radii_learn_a_tenth_as_fast(part, ends):
    net = build(f"mobilenetv2+{part}", 8.0, **IMAGES)
    names = {parameter: name for name, parameter in net.named_parameters()}
    groups = [group for group in make_optimizer(net, RECIPE).param_groups if math.isclose(group["lr"], 0.01)]
    slow = {names[p] for group in groups for p in group["params"]}
    assert slow == {name for name in names.values() if name.endswith(ends) and "parametrizations" in name}
