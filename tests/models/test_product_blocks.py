"""Blocks that multiply maps or decay along them: B-cos, MONet and ViG, against formulas and special cases."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lowparam.models import blocks
from lowparam.models.blocks.bcos import BcosConv, Uncentred
from lowparam.models.blocks.monet import FourWays, MuLayer
from lowparam.models.blocks.vig import GatedLinearAttention, scan
from lowparam.models.make import Make
from single_blocks import count, make_block, noise


@pytest.mark.parametrize("name", ["bcos", "monet", "vig"])
@pytest.mark.parametrize(("before", "after", "stride"), [(9, 9, 1), (8, 13, 1), (7, 16, 2)])
def test_blocks_take_any_numbers_of_channels(name, before, after, stride):
    y = make_block(name, before, after, stride)(noise(2, before, 7, 5))
    assert y.shape == (2, after, -(-7 // stride), -(-5 // stride)) and y.isfinite().all()


def bcos(power: float = 2, filters: int = 1, groups: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return BcosConv(6, 4 if groups == 1 else 6, 3, groups=groups, power=power, filters=filters).double()


def patches_of(x: Tensor) -> Tensor:
    """The 3x3 patches (N, positions, channels * 9)."""
    return functional.unfold(x, 3, padding=1).transpose(1, 2)


@pytest.mark.parametrize("power", [1.25, 2, 2.5])
def test_an_output_of_bcos_is_the_projection_on_a_unit_filter_times_the_cosine_to_a_power(power):
    layer, x = bcos(power), noise(2, 6, 5, 4)
    patches, filters = patches_of(x), functional.normalize(layer.conv.weight.flatten(1))
    linear, length = patches @ filters.T, patches.norm(dim=2, keepdim=True)
    expected = (linear / length).abs() ** (power - 1) * linear
    torch.testing.assert_close(layer(x).flatten(2).transpose(1, 2), expected, atol=1e-4, rtol=1e-4)
    assert (expected.abs() <= length).all()


def test_an_output_of_bcos_is_as_large_as_its_patch_if_and_only_if_they_are_aligned():
    layer = bcos()
    x = torch.zeros(1, 6, 3, 3, dtype=torch.double)
    x[0] = 5 * layer.conv.weight[2]
    of_middle = layer(x)[0, :, 1, 1]
    assert of_middle[2].item() == pytest.approx(5, abs=1e-5)
    assert (of_middle[[0, 1, 3]].abs() < 4).all()


@pytest.mark.parametrize("groups", [1, 6])
def test_bcos_scales_with_its_input_and_not_with_its_weights(groups):
    layer, x = bcos(groups=groups), 10 * noise(2, 6, 5, 4)
    before = layer(x)
    torch.testing.assert_close(layer(3 * x), 3 * before, atol=1e-6, rtol=1e-6)
    layer.conv.parametrizations.weight.original.data *= 7
    torch.testing.assert_close(layer(x), before)


def test_a_depthwise_bcos_layer_reads_each_channel_by_itself():
    layer, x = bcos(groups=6), noise(2, 6, 5, 4)
    one = BcosConv(1, 1, 3, power=2, filters=1).double()
    one.conv.parametrizations.weight.original.data = layer.conv.weight[3:4].detach().clone()
    torch.testing.assert_close(layer(x)[:, 3:4], one(x[:, 3:4]))


def test_without_a_factor_bcos_is_a_convolution_and_with_two_filters_the_larger_one():
    layer, x = bcos(1), noise(2, 6, 5, 4)
    torch.testing.assert_close(layer(x), functional.conv2d(x, layer.conv.weight, padding=1))
    pairs = bcos(1, filters=2)
    both = functional.conv2d(x, pairs.conv.weight, padding=1)
    torch.testing.assert_close(pairs(x), torch.maximum(both[:, ::2], both[:, 1::2]))


def test_bcos_is_a_matrix_of_its_input_whose_entries_are_the_gradient_with_factors_held():
    layer, x = bcos(), noise(1, 6, 4, 4).requires_grad_()
    linear = layer.conv(x)
    held = (layer.align(linear, x) / linear).detach() * linear
    (gradient,) = torch.autograd.grad(held[0, 1, 2, 2], x)
    assert (gradient * x).sum().item() == pytest.approx(layer(x)[0, 1, 2, 2].item())


def test_an_uncentred_norm_divides_by_the_deviation_and_keeps_the_mean():
    norm, x = Uncentred(3).double(), noise(8, 3, 4, 4) + 5
    torch.testing.assert_close(norm(x), x / (x.var((0, 2, 3), unbiased=False) + 1e-5).sqrt()[:, None, None])
    expected = 0.9 + 0.1 * x.var((0, 2, 3), unbiased=False)
    torch.testing.assert_close(norm.running_var, expected)
    torch.testing.assert_close(norm.eval()(x), x / (expected + 1e-5).sqrt()[:, None, None])


def test_bcos_has_the_parameters_of_its_convolutions_and_norms():
    assert count(make_block("bcos", 16)) == 2 * 6 * 16**2 + 9 * 96 + 2 * 96 + 16
    assert blocks.find("bcos_b1.5").power == 1.5 and blocks.find("bcos_maxout_b1").filters == 2


@pytest.mark.parametrize("c", [16, 32, 64])
def test_counts_of_monet_and_vig_are_those_of_the_formulas(c):
    assert count(make_block("monet", c)) == 9.75 * c**2 + 28.5 * c + 2
    rank = min(16, c // 2)
    attention = 9 * c + 2 * c**2 + c * rank + (rank + 1) * c + c**2 + c + 2 * c + c**2
    assert count(make_block("vig", c)) == attention + 8 * c**2 + 5 * c + 2 * c


def mu_layer(*, shifts: bool) -> nn.Module:
    """A Mu-Layer without norms and biases."""
    torch.manual_seed(0)
    make = Make().with_defaults(norm=lambda channels: nn.Identity()).bind(blocks.find("monet").defaults)
    layer = MuLayer(make, 8, 16, shifts=shifts).double()
    for module in layer.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.bias)
    return layer


@pytest.mark.parametrize("shifts", [True, False])
def test_a_mu_layer_without_norms_is_a_polynomial_of_degree_two(shifts):
    layer, x = mu_layer(shifts=shifts), noise(1, 8, 4, 5)
    at = {t: layer(t * x) for t in (1.0, 2.0, 3.0)}
    quadratic = (at[2.0] - 2 * at[1.0]) / 2
    torch.testing.assert_close(at[3.0], 3 * (at[1.0] - quadratic) + 9 * quadratic)
    assert quadratic.abs().max() > 1e-2
    nn.init.zeros_(layer.factor.alpha)
    torch.testing.assert_close(layer(3 * x), 3 * layer(x))


def test_each_quarter_of_the_channels_moves_by_one_position():
    x = torch.zeros(1, 4, 5, 5)
    x[..., 2, 2] = 1
    moved = [channel.nonzero().flatten().tolist() for channel in FourWays()(x)[0]]
    assert moved == [[3, 2], [1, 2], [2, 3], [2, 1]]
    ramp = torch.arange(3.0).reshape(1, 1, 3, 1).expand(1, 4, 3, 2)
    shifted = FourWays()(ramp)[0]
    assert shifted[0, :, 0].tolist() == [0, 0, 1] and shifted[1, :, 0].tolist() == [1, 2, 2]
    assert FourWays()(torch.rand(1, 3, 4, 4)).shape == (1, 3, 4, 4)


def test_both_mu_layers_read_through_one_norm():
    block, x = make_block("monet", 8), noise(2, 8, 4, 5)
    y = x + block.spatial(block.norm(x))
    torch.testing.assert_close(block(x), y + block.channels(block.norm(y)))


def recurrence(query: Tensor, key: Tensor, value: Tensor, log_gate: Tensor) -> Tensor:
    """The definition, token by token."""
    state, outputs = query.new_zeros(*query.shape[:-2], query.shape[-1], value.shape[-1]), []
    for q, k, v, g in zip(*(each.unbind(-2) for each in (query, key, value, log_gate)), strict=True):
        state = g.exp()[..., :, None] * state + k[..., :, None] * v[..., None, :]
        outputs.append((q[..., None, :] @ state)[..., 0, :])
    return torch.stack(outputs, -2)


def tokens(count: int) -> list[Tensor]:
    every = noise(4, 2, count, 5)
    return [*every[:3], -every[3].exp()]


@pytest.mark.parametrize("length", [1, 15, 16, 33])
def test_the_scan_in_chunks_is_the_recurrence(length):
    query, key, value, log_gate = tokens(length)
    torch.testing.assert_close(scan(query, key, value, log_gate), recurrence(query, key, value, log_gate))
    torch.testing.assert_close(
        scan(query, key, value, 0 * log_gate), (query @ key.mT).tril() @ value
    )  # open gates: causal linear attention
    own = (query * key).sum(-1, keepdim=True) * value
    torch.testing.assert_close(scan(query, key, value, -1e6 + log_gate), own)  # shut: each token itself


def test_the_scan_and_its_gradient_stay_finite_where_gates_are_shut():
    query, key, value, log_gate = (each.float().requires_grad_() for each in tokens(40))
    y = scan(query, key, value, 1e4 * log_gate)
    y.sum().backward()
    assert all(each.grad.isfinite().all() for each in (query, key, value, log_gate))


def test_an_output_of_the_scan_depends_on_no_later_token():
    query, key, value, log_gate = tokens(20)
    before = scan(query, key, value, log_gate)
    value[:, 12:] += 1
    changed = (scan(query, key, value, log_gate) - before).abs().amax((0, 2)) > 0
    assert not changed[:12].any() and changed[12:].all()


def test_gated_attention_is_the_mean_of_both_directions_which_reversing_the_tokens_swaps():
    layer, maps, gates = GatedLinearAttention(3), noise(2, 14, 4, 5), noise(2, 6, 4, 5)
    query, key, value = maps.flatten(2).mT.split((3, 3, 8), 2)
    there, back = (functional.logsigmoid(gates) / 16).flatten(2).mT.chunk(2, 2)
    forward = recurrence(query * 3**-0.5, key, value, there)
    backward = recurrence(*(each.flip(1) for each in (query * 3**-0.5, key, value, back))).flip(1)
    torch.testing.assert_close(layer(maps, gates).flatten(2).mT, (forward + backward) / 2)
    swapped = torch.cat(gates.flip(2, 3).chunk(2, 1)[::-1], 1)
    torch.testing.assert_close(layer(maps.flip(2, 3), swapped), layer(maps, gates).flip(2, 3))


def test_gates_of_vig_begin_near_one_and_the_block_is_two_residuals():
    block, x = make_block("vig", 8), noise(2, 8, 5, 4)
    assert block.gates[1].bias.eq(0).all()
    for layer in (block.write, block.mlp.project):
        nn.init.zeros_(layer.weight)
    nn.init.zeros_(block.mlp.project.bias)
    torch.testing.assert_close(block(x), x)


def test_the_share_of_vig_chooses_between_attention_and_the_local_map():
    block, x = make_block("vig", 8), noise(2, 8, 5, 4)
    local = functional.silu(functional.conv2d(block.norm_mixer(x), block.depthwise.weight, padding=1, groups=8))
    nn.init.zeros_(block.share.weight), nn.init.constant_(block.share.bias, -1e3)
    y = x + block.write(functional.silu(block.norm_local(local)))
    torch.testing.assert_close(block(x), y + block.mlp(y))
