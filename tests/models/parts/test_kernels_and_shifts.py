"""Made kernels, shift and space to depth: what each equals, what it learns, and that every block can take it."""

import pytest
import torch
import torch.nn.functional as F
from DCLS.construct.modules import ConstructKernel2d
from torch import nn
from torch.nn.utils import parametrize

from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.budget import solve_width
from lowparam.models.cost import cost, count_parameters
from lowparam.models.parts import binary, collapsible, cp, dcls, frozen, frozen_lc, shift, spd
from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training.optimizer import make_optimizer

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}
KERNELS = {
    "frozen": frozen,
    "frozen_lc": frozen_lc,
    "dcls": dcls,
    "binary": binary,
    "collapsible": collapsible,
    "cp": cp,
}
PARTS = [*KERNELS, "shift", "spd"]


def made(part, shape: tuple[int, ...], **options) -> parametrize.ParametrizationList:
    """Return the parametrization of a weight of this shape, as `Make` registers it."""
    torch.manual_seed(0)
    conv = nn.Conv2d(shape[1], shape[0], shape[2:], bias=False)
    parametrize.register_parametrization(conv, "weight", part.make(shape, **options), unsafe=True)
    return conv.parametrizations["weight"]


def learned(kernel: nn.Module) -> int:
    return sum(p.numel() for p in kernel.parameters())


def test_a_frozen_kernel_is_the_initial_one_and_nothing_else_learns():
    torch.manual_seed(0)
    plain = build("mobilenetv2", 8.0, **IMAGES).eval()
    torch.manual_seed(0)
    net = build("mobilenetv2+frozen", 8.0, **IMAGES).eval()
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(net(images), plain(images), rtol=0, atol=0)
    filters = [block.depthwise.conv for row in net.stages for block in row]
    before = [conv.weight.clone() for conv in filters]
    assert all(learned(conv) == 0 for conv in filters)
    optimizer = make_optimizer(net, Recipe(epochs=1, batch_size=2, lr=0.1, weight_decay=0.1))
    net.train()(images).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(conv.weight, weight) for conv, weight in zip(filters, before, strict=True))
    assert not torch.equal(net(images), plain(images))


@pytest.mark.parametrize(("shape", "groups"), [((6, 4, 3, 3), 1), ((6, 1, 3, 3), 6)])
def test_combinations_are_two_convolutions_with_nothing_in_between(shape, groups):
    kernel = made(frozen_lc, shape, expansion=5)
    x = torch.rand(2, shape[1] * groups, 7, 7)
    many = F.conv2d(x, kernel[0].filters, padding=1, groups=groups)
    mixed = F.conv2d(many, kernel.original[:, :, None, None], groups=groups)
    torch.testing.assert_close(F.conv2d(x, kernel(), padding=1, groups=groups), mixed, rtol=1e-5, atol=1e-6)
    assert learned(kernel) == (5 * 6 * 6 if groups == 1 else 5 * 6)


def test_a_combination_of_one_filter_is_that_filter():
    kernel = made(frozen_lc, (6, 4, 3, 3), expansion=1)
    nn.init.eye_(kernel.original)
    torch.testing.assert_close(kernel(), kernel[0].filters[:: kernel[0].expansion], rtol=0, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [8, 19, 5])
def test_a_shift_is_a_depthwise_convolution_with_a_single_1_in_each_kernel(channels, stride):
    kernels = torch.zeros(channels, 1, 3, 3)
    for channel in range(channels):
        group = channel // (channels // 8) if channels >= 8 else 8
        dy, dx = shift.DIRECTIONS[group] if group < 8 else (0, 0)
        kernels[channel, 0, 1 + dy, 1 + dx] = 1
    x = torch.rand(2, channels, 7, 7)
    expected = F.conv2d(x, kernels, stride=stride, padding=1, groups=channels)
    torch.testing.assert_close(shift.make(channels, 3, stride)(x), expected, rtol=0, atol=0)


def test_a_shift_has_no_parameters_and_no_multiplications():
    plain, net = (build(name, 8.0, **IMAGES) for name in ("mobilenetv2", "mobilenetv2+shift"))
    hidden = [block.hidden for row in plain.stages for block in row]
    positions = [64, 64, 16, 16, 4, 4]
    assert count_parameters(plain).total - count_parameters(net).total == 9 * sum(hidden)
    fewer = sum(9 * width * count for width, count in zip(hidden, positions, strict=True))
    assert cost(plain, 1, 8).macs - cost(net, 1, 8).macs == fewer


def test_space_to_depth_is_a_2x2_convolution_that_strides():
    part = spd.make(3, 2)
    weight = part[1].weight.view(3, 2, 2, 3).permute(0, 3, 2, 1)  # (out, column, row, in) to (out, in, row, column)
    x = torch.rand(2, 3, 6, 6)
    torch.testing.assert_close(part(x), F.conv2d(x, weight, stride=2), rtol=1e-5, atol=1e-6)
    assert learned(part) == 4 * 3**2
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(part(x), F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, stride=2), rtol=1e-5, atol=1e-6)


def test_spacings_at_integer_positions_are_a_plain_kernel():
    kernel = made(dcls, (4, 1, 3, 3), size=3, elements=9)
    rows, columns = torch.meshgrid(torch.arange(-1.0, 2), torch.arange(-1.0, 2), indexing="ij")
    with torch.no_grad():
        kernel.original1.copy_(torch.stack((rows.flatten(), columns.flatten()))[:, None, None].expand(2, 4, 1, 9))
    torch.testing.assert_close(kernel().flatten(1), kernel.original0.flatten(1), rtol=0, atol=1e-6)


def test_spacings_interpolate_and_stay_inside_the_grid():
    kernel = made(dcls, (2, 3, 3, 3))
    assert learned(kernel) == 3 * 2 * 3 * 3  # as many as the plain kernel
    with torch.no_grad():
        kernel.original1[0].fill_(0.25)
        kernel.original1[1].fill_(9.0)
    expected = torch.zeros(2, 3, 5, 5)
    expected[:, :, 2, 4], expected[:, :, 3, 4] = 0.75 * kernel.original0.sum(2), 0.25 * kernel.original0.sum(2)
    torch.testing.assert_close(kernel.eval()(), expected, rtol=0, atol=1e-6)
    assert kernel.original1[1].eq(9).all()  # evaluating changes nothing
    kernel.train()()
    assert kernel.original1[1].eq(2).all()


@pytest.mark.parametrize("shape", [(4, 1, 3, 3), (3, 2, 5, 5)])
def test_spacings_give_kernels_and_gradients_of_the_authors_package(shape):
    kernel = made(dcls, shape)
    weight, position = kernel.original0, kernel.original1
    limit = kernel[0].size // 2
    with torch.no_grad():
        position.uniform_(-limit, limit)  # also far from the centre, where the package needs a grid as large
    theirs = ConstructKernel2d(shape[0], shape[1], 1, weight.shape[2], (2 * limit + 1,) * 2, "v0")
    theirs.__init_tmp_variables__("cpu")
    again = [tensor.detach().clone().requires_grad_() for tensor in (weight, position)]
    ours, expected = kernel(), theirs(*again, None)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
    sensitivity = torch.randn_like(expected)
    (ours * sensitivity).sum().backward()
    (expected * sensitivity).sum().backward()
    for tensor, copy in zip((weight, position), again, strict=True):
        torch.testing.assert_close(tensor.grad, copy.grad, rtol=1e-5, atol=1e-6)


def test_positions_do_not_decay_and_learn_five_times_as_fast():
    net = build("mobilenetv2+dcls", 8.0, **IMAGES)
    optimizer = make_optimizer(net, Recipe(epochs=1, batch_size=2, lr=0.1, weight_decay=0.2))
    names = {parameter: name for name, parameter in net.named_parameters()}
    groups = {
        names[p]: (group["weight_decay"], group["lr"]) for group in optimizer.param_groups for p in group["params"]
    }
    made_by = "stages.0.0.depthwise.conv.parametrizations.weight.original"
    assert groups[f"{made_by}0"] == (0.2, 0.1)
    assert groups[f"{made_by}1"] == (0.0, 0.5)
    assert groups.keys() == set(names.values())


@pytest.mark.parametrize("part", ["frozen_lc", "binary", "collapsible", "cp"])
def test_what_makes_a_kernel_decays_as_the_kernel_would(part):
    net = build(f"mobilenetv2+{part}", 8.0, **IMAGES)
    decaying = make_optimizer(net, Recipe(epochs=1, batch_size=2, lr=0.1, weight_decay=0.2)).param_groups[0]["params"]
    assert {p for name, p in net.named_parameters() if "parametrizations" in name} <= set(decaying)


def test_binary_weights_are_the_nearest_of_two_values():
    kernel = made(binary, (4, 6, 1, 1)).eval()
    real = kernel.original.detach() - kernel.original.detach().mean(1, keepdim=True)
    weight = kernel().detach()
    for scale in torch.linspace(0, 1, 50):
        assert ((real - weight) ** 2).sum() <= ((real - scale * weight.sign()) ** 2).sum() + 1e-6
    assert weight.sign().equal(torch.where(real >= 0, 1.0, -1.0))
    assert all(row.abs().unique().numel() == 1 for row in weight)


def test_binary_weights_are_plain_where_they_are_binary():
    kernel = made(binary, (2, 4, 1, 1)).eval()
    pattern = torch.tensor([[1.0, -1, 1, -1], [1, 1, -1, -1]])[:, :, None, None] * 0.3
    with torch.no_grad():
        kernel.original.copy_(pattern)
    torch.testing.assert_close(kernel(), pattern, rtol=0, atol=1e-6)


def test_the_gradient_of_binary_weights_is_the_closed_form():
    kernel = made(binary, (2, 4, 1, 1))
    with torch.no_grad():
        kernel.original.copy_(torch.tensor([[3.0, -1, -1, -1], [0.2, -0.2, 0.4, -0.4]])[:, :, None, None])
    g = torch.randn(2, 4, 1, 1)
    kernel().backward(g)
    real = kernel.original.detach()  # centred and clamped in place
    assert real[0].flatten().tolist() == [1, -1, -1, -1]
    sign, alpha = real.sign(), real.abs().mean(1, keepdim=True)
    expected = sign * (g * sign).sum(1, keepdim=True) / 4 + alpha * g * (real.abs() <= 1)
    torch.testing.assert_close(kernel.original.grad, expected, rtol=0, atol=1e-6)


def test_weights_are_stored_as_they_are_and_not_as_they_are_learned():
    plain = cost(build("mobilenetv2", 8.0, **IMAGES), 1, 8)
    pointwise = [m for m in build("mobilenetv2", 8.0, **IMAGES).modules() if getattr(m, "role", "") == "pointwise"]
    values, filters = sum(m.weight.numel() for m in pointwise), sum(m.out_channels for m in pointwise)
    stored = cost(build("mobilenetv2+binary", 8.0, **IMAGES), 1, 8)
    assert stored.weight_bytes == -(-(8 * plain.weight_bytes - 31 * values + 32 * filters) // 8)
    assert stored.parameters == plain.parameters
    frozen_net = cost(build("mobilenetv2+frozen", 8.0, **IMAGES), 1, 8)
    assert frozen_net.weight_bytes == plain.weight_bytes
    assert frozen_net.parameters.total < plain.parameters.total


@pytest.mark.parametrize("outputs", [4, 6])
def test_a_collapsed_layer_is_two_layers_and_a_residual(outputs):
    kernel = made(collapsible, (outputs, 4, 1, 1))
    p = 4 * max(outputs, 4)
    assert learned(kernel) == p * (4 + outputs)
    x = torch.rand(2, 4, 5, 5)
    first, second = kernel.original0[:, :, None, None], kernel.original1[:, :, None, None]
    expanded = F.conv2d(F.conv2d(x, first), second) + (x if outputs == 4 else 0)
    torch.testing.assert_close(F.conv2d(x, kernel()), expanded, rtol=1e-5, atol=1e-6)


def test_a_collapsible_network_costs_what_the_plain_one_does():
    plain, net = (cost(build(name, 8.0, **IMAGES), 1, 8) for name in ("mobilenetv2", "mobilenetv2+collapsible"))
    assert plain == net


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (6, 1, 3, 3)])
def test_cp_form_is_three_convolutions(shape):
    kernel = made(cp, shape, rank=5)
    out, inputs = shape[:2]
    groups = 6 if inputs == 1 else 1
    assert learned(kernel) == 5 * (out + 9 + (inputs if inputs > 1 else 0))
    x = torch.rand(2, inputs * groups, 7, 7)
    a, c = kernel.original0, kernel.original1
    if groups == 1:
        read = F.conv2d(x, kernel.original2.T[:, :, None, None])
        between = F.conv2d(read, c.T.reshape(5, 1, 3, 3), padding=1, groups=5)
        expected = F.conv2d(between, a[:, :, None, None])
    else:
        shared = F.conv2d(x.flatten(0, 1)[:, None], c.T.reshape(5, 1, 3, 3), padding=1).view(2, 6, 5, 7, 7)
        expected = torch.einsum("ncrhw,cr->nchw", shared, a)
    torch.testing.assert_close(F.conv2d(x, kernel(), padding=1, groups=groups), expected, rtol=1e-5, atol=1e-6)


def test_cp_form_of_full_rank_is_any_kernel():
    kernel, weight = made(cp, (6, 1, 3, 3), rank=9), torch.randn(6, 1, 3, 3)
    with torch.no_grad():
        kernel.original0.copy_(weight.flatten(1))
        kernel.original1.copy_(torch.eye(9))
    torch.testing.assert_close(kernel(), weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(64, 32, 3, 3), (256, 1, 3, 3)])
@pytest.mark.parametrize("part", ["cp", "frozen_lc"])
def test_drawn_kernels_vary_about_as_much_as_the_blocks_own(part, shape):
    torch.manual_seed(0)
    own = nn.Conv2d(shape[1], shape[0], 3).weight.std()
    # A factor of a 1x1 convolution is uniform, of variance 1 / 3 over what it reads.
    expected = own if part == "cp" else own * 3**-0.5
    assert made(KERNELS[part], shape)().std().item() == pytest.approx(expected.item(), rel=0.25)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("block", ["mobilenetv2", "nodepth_b"])
def test_the_gradient_reaches_every_learned_value_and_sites_are_those_of_the_block(block, part):
    check_network(block, part, width=6.0)


@pytest.mark.parametrize("part", ["frozen", "frozen_lc", "dcls", "cp", "shift"])
def test_a_block_without_spatial_layer_refuses_what_would_replace_it(part):
    with pytest.raises(LowparamError, match=f"nodepth_bp has no .* that {part} could take the place of") as refused:
        build(f"nodepth_bp+{part}", 8.0, **IMAGES)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("block", [name for name in blocks.names() if name not in blocks.ablations()])
def test_every_block_takes_every_part_at_equal_parameters(block, part):
    try:
        build(f"{block}+{part}", 8.0, **IMAGES)
    except LowparamError as refused:
        assert "could take the place of" in str(refused)
        return
    check_network(block, part, width=6.0)
    for size in (8, 32):
        for budget in (25_000, 100_000):
            images = {"classes": 10, "in_channels": 3, "size": size}
            width = solve_width(f"{block}+{part}", budget, **images)
            with torch.device("meta"):
                count = count_parameters(build(f"{block}+{part}", width, **images)).total
            assert count == pytest.approx(budget, rel=0.02)


def check_network(block: str, part: str, width: float) -> None:
    """Assert that a network learns all that it has, and is read where its block is."""
    torch.manual_seed(0)
    net = build(f"{block}+{part}", width, **IMAGES)
    plain = build(block, width, **IMAGES)
    assert [(name, site.kind) for name, site in net.sites().items()] == [
        (name, site.kind) for name, site in plain.sites().items()
    ]
    (net.train()(torch.rand(4, 1, 8, 8)) * torch.randn(4, 10)).sum().backward()
    reached = {name: p.grad is not None and bool(p.grad.abs().sum() > 0) for name, p in net.named_parameters()}
    without = {name: p.grad is None or not bool(p.grad.abs().sum() > 0) for name, p in plain_gradients(plain).items()}
    assert all(value or without.get(name, False) for name, value in reached.items()), reached


def plain_gradients(net: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters of the plain network with gradients: some of its biases have none before a norm."""
    (net.train()(torch.rand(4, 1, 8, 8)) * torch.randn(4, 10)).sum().backward()
    return dict(net.named_parameters())
