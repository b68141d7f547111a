"""Blocks of one shell, a mixer of positions and an MLP, against their formulas and special cases."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lowparam.models import blocks, network_for
from lowparam.models.blocks._transformer import TransformerBlock, head_widths, heads_of, map_of
from lowparam.models.blocks.flatten import FocusedAttention, focus
from lowparam.models.blocks.inline import InjectiveAttention
from lowparam.models.blocks.rala import RankAugmentedAttention, importance
from lowparam.models.blocks.slab import SimplifiedAttention
from lowparam.models.blocks.soft import gaussian, nystroem
from lowparam.models.cost import count_macs, peak_activation_elements

ALL = [name for name in blocks.names() if issubclass(blocks.find(name), TransformerBlock)]
PRE_NORM = [name for name in ALL if name != "soft"]  # whose norms come after the sums
LINEAR = ["inline", "inline_local", "flatten", "rala", "slab"]


def make_block(name: str, channels: int, before: int | None = None, stride: int = 1, heads: int = 2, ratio: int = 4):
    torch.manual_seed(0)
    block = type("Block", (blocks.find(name),), {"heads": heads, "expansion": ratio})
    return block(before or channels, channels, stride=stride, hidden=ratio * channels)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def mlp(c: int, ratio: int) -> int:
    return 2 * ratio * c**2 + (ratio + 1) * c


MIXING = {
    "inline": lambda c, h: 4 * c**2 + 4 * c,
    "inline_local": lambda c, h: 4 * c**2 + 4 * c + 10 * c**2 // h + 10 * c,
    "flatten": lambda c, h: 4 * c**2 + 5 * c + 26 * c // h,
    "rala": lambda c, h: 5 * c**2 + 5 * c + 26 * c,
    "slab": lambda c, h: 4 * c**2 + 4 * c + 26 * c // h,
    "soft": lambda c, h: 3 * (c**2 + c) + 4 * (c // h) ** 2 + 2 * c // h + 9 * h,
}


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize(("c", "heads", "ratio"), [(8, 2, 4), (12, 2, 2), (24, 4, 4)])
def test_counts_are_those_of_the_formulas(name, c, heads, ratio):
    assert count(make_block(name, c, heads=heads, ratio=ratio)) == MIXING[name](c, heads) + 4 * c + mlp(c, ratio)


def pyramid(name: str, heads: tuple[int, ...], depths: tuple[int, ...]) -> int:
    """Count PVT's networks with a block: 4x4 and 2x2 patches, a norm and a table of positions a stage, classifier."""
    total, before = 0, 3
    stages = zip((64, 128, 320, 512), heads, (8, 8, 4, 4), depths, (4, 2, 2, 2), (56, 28, 14, 7), strict=True)
    for width, h, ratio, depth, patch, size in stages:
        total += before * width * patch**2 + width + 2 * width + width * size**2
        total += depth * count(make_block(name, width, heads=h, ratio=ratio))
        before = width
    return total + 512 * 1000 + 1000


def test_the_counts_of_inlines_published_networks_follow_from_its_block():
    with torch.device("meta"):
        # The authors' inline_pvt.py has no norm before the classifier; counts of 12,033,256 include one of 2 x 512.
        assert pyramid("inline_local", (2, 4, 10, 16), (2, 2, 2, 2)) + 2 * 512 == 12_033_256
        deit = 12 * count(make_block("inline_local", 192, heads=6))
    patches, class_token, positions, norm, classifier = 3 * 16**2 * 192 + 192, 192, 197 * 192, 2 * 192, 193_000
    assert deit + patches + class_token + positions + norm + classifier == 6_477_736


def test_the_count_of_flattens_published_network_follows_from_its_block():
    with torch.device("meta"):
        without_tables = pyramid("flatten", (1, 2, 5, 8), (2, 2, 2, 2))
    tables = sum(2 * width * size**2 for width, size in ((64, 56), (128, 28), (320, 14), (512, 7)))
    unused_norm = 2 * 512
    assert without_tables + tables + unused_norm == 12_150_504


@pytest.mark.parametrize("name", PRE_NORM)
def test_the_block_is_two_residuals(name):
    block, x = make_block(name, 8).double(), images(2, 8, 5, 4)
    y = x + block.write(block.mixer(block.norm_mixer(x)))
    torch.testing.assert_close(block(x), y + block.project(block.act(block.expand(block.norm_hidden(y)))))
    nn.init.zeros_(block.project.weight)
    nn.init.zeros_(block.project.bias)
    nn.init.zeros_(block.write.weight)
    nn.init.zeros_(block.write.bias)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 4), (5, 7), (16, 3)])
def test_it_takes_maps_of_any_size_and_widths_that_heads_do_not_divide(name, size):
    block = make_block(name, 7, before=5, stride=2)
    y = block(torch.randn(2, 5, *size))
    assert y.shape == (2, 7, -(-size[0] // 2), -(-size[1] // 2))
    assert y.isfinite().all()


@pytest.mark.parametrize("name", ALL)
def test_an_image_does_not_depend_on_the_others_of_its_batch(name):
    block, x = make_block(name, 8).double(), images(3, 8, 4, 4)
    torch.testing.assert_close(block(x)[1:2], block(x[1:2]))


@pytest.mark.parametrize("name", LINEAR)
def test_work_and_memory_grow_linearly_with_positions(name):
    block = make_block(name, 16)
    for measure in (count_macs, peak_activation_elements):
        assert measure(block, 16, 32) == pytest.approx(16 * measure(block, 16, 8), rel=0.05)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("size", "budget"), [(8, 25_000), (32, 100_000)])
def test_they_meet_a_budget_in_the_skeleton(name, size, budget):
    spec = {"mode": "controlled", "architecture": name, "probe": "none", "budget": budget, "counting": "total"}
    spec |= {"depth": 2, "divisor": 1, "minimum_width": 4}
    net = network_for(spec, classes=10, in_channels=3, size=size)
    assert abs(count(net) / budget - 1) <= 0.02
    assert net(torch.randn(2, 3, size, size)).shape == (2, 10)


def test_maps_are_split_into_heads_and_put_together():
    maps = images(2, 6, 3, 5)
    tokens = heads_of(maps, 3)
    assert tokens.shape == (2, 3, 15, 2)
    torch.testing.assert_close(tokens[1, 2, 7], maps[1, 4:6, 1, 2])
    torch.testing.assert_close(map_of(tokens, maps), maps)


def test_heads_that_do_not_divide_the_channels_are_filled_up_with_zeros():
    maps = images(2, 7, 3, 2)
    assert head_widths(7, 3) == [3, 3, 1]
    tokens = heads_of(maps, 3)
    assert tokens.shape == (2, 3, 6, 3)
    torch.testing.assert_close(tokens[:, 2, :, 0], maps[:, 6].flatten(1))
    assert not tokens[:, 2, :, 1:].any()
    torch.testing.assert_close(map_of(tokens, maps), maps)


def permute(maps: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return maps.flatten(2)[..., order].reshape(maps.shape)


@pytest.mark.parametrize("name", ["inline"])
def test_the_block_forgets_the_order_of_positions(name):
    block, x = make_block(name, 8).double(), images(2, 8, 3, 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(block(permute(x, order)), permute(block(x), order))


def weights_of_injective_attention(query, key):
    """The matrix of weights of one head from its definition, for (positions, d) each."""
    n, d = key.shape
    scale = d**-0.5
    return scale / n * query @ key.T - scale / n * (query @ key.mean(0))[:, None] + 1 / n


def test_injective_attention_is_the_sum_over_its_weights_which_sum_to_one():
    maps = images(1, 18, 3, 4)
    mixed = InjectiveAttention(2)(maps)
    for head, (query, key, value) in enumerate(zip(*(heads_of(each, 2)[0] for each in maps.chunk(3, 1)), strict=True)):
        weights = weights_of_injective_attention(query, key)
        torch.testing.assert_close(weights.sum(1), torch.ones(12, dtype=torch.double), atol=1e-12, rtol=0)
        torch.testing.assert_close(mixed[0, 3 * head : 3 * head + 3].flatten(1).T, weights @ value)


def test_injective_attention_tells_a_query_from_its_double_where_a_division_does_not():
    query, key = images(5, 3).abs(), images(7, 3).abs()

    def divided(query):
        weights = query @ key.T
        return weights / weights.sum(1, keepdim=True)

    torch.testing.assert_close(divided(query), divided(2 * query))
    injective = weights_of_injective_attention(query, key)
    assert (injective - weights_of_injective_attention(2 * query, key)).abs().amax(1).min() > 1e-3


def test_a_bias_of_the_keys_has_no_effect_in_injective_attention():
    maps = images(1, 12, 3, 3)
    shifted = maps.clone()
    shifted[:, 4:8] += 3
    torch.testing.assert_close(InjectiveAttention(2)(shifted), InjectiveAttention(2)(maps))


def test_the_local_term_of_inline_is_a_depthwise_filter_of_each_image():
    mixer, x = make_block("inline_local", 6).double().mixer, images(2, 6, 4, 5)
    value = mixer.read(x)[:, 12:]
    filters = mixer.filter.filters(x).reshape(2, 6, 1, 3, 3)
    local = torch.cat([functional.conv2d(value[i : i + 1], filters[i], padding=1, groups=6) for i in range(2)])
    torch.testing.assert_close(mixer(x), mixer.attention(mixer.read(x)) + local)
    assert (filters[0] - filters[1]).abs().max() > 1e-3
    for parameter in mixer.filter.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(mixer(x), mixer.attention(mixer.read(x)))


def explicit(attention: nn.Module, maps: torch.Tensor, count: int, weights) -> torch.Tensor:
    """Attention as the sum over an N x N matrix a head, which `weights` makes of queries and keys."""
    query, key, value = maps.chunk(count, 1)[:3]
    query, key = attention(query), attention(key)
    heads = []
    for q, k, v in zip(*(heads_of(each, 2)[0] for each in (query, key, value)), strict=True):
        matrix = weights(q, k)
        matrix = matrix / matrix.sum(1, keepdim=True)
        assert matrix.min() >= 0
        heads.append((matrix @ v).T.reshape(-1, *maps.shape[2:]))
    return torch.cat(heads)[None]


def test_focused_attention_is_the_sum_over_its_weights():
    layer, maps = FocusedAttention(6, 2).double(), images(1, 18, 3, 4)
    maps[:, :12] += 1 - maps[:, :12].min()  # a query without a positive channel would weigh nothing

    def focused(u):
        u = (u.relu() + 1e-6) / torch.tensor(2.0, dtype=torch.double).log()
        return u.norm(dim=1, keepdim=True) * u**3 / (u**3).norm(dim=1, keepdim=True)

    expected = explicit(focused, maps, 3, lambda q, k: q @ k.T)
    torch.testing.assert_close(layer(maps), expected, atol=1e-4, rtol=1e-4)  # for the 1e-6 in the divisor


def test_focus_keeps_the_length_and_turns_to_the_largest_channel():
    u = images(2, 5, 3, 3).abs() + 0.1
    torch.testing.assert_close(focus(u).norm(dim=1), u.norm(dim=1))
    torch.testing.assert_close(focus(u, 1), u)
    far = focus(u, 60) / u.norm(dim=1, keepdim=True)
    torch.testing.assert_close(far.argmax(1), u.argmax(1))
    assert (focus(u).amax(1) > u.amax(1)).all()


def test_focused_attention_weighs_equal_values_to_themselves():
    layer, maps = FocusedAttention(6, 2).double(), images(1, 18, 3, 4).abs() + 0.1
    maps[:, 12:] = 1
    torch.testing.assert_close(layer(maps), torch.ones(1, 6, 3, 4, dtype=torch.double), atol=1e-4, rtol=0)


def test_focused_attention_has_no_more_rank_than_a_head_has_channels():
    query, key = (focus(images(2, 3, 5, 5)[i : i + 1].abs() + 1e-6)[0].flatten(1).T for i in range(2))
    weights = query @ key.T
    assert torch.linalg.matrix_rank(weights / weights.sum(1, keepdim=True)) == 3


@pytest.mark.parametrize("name", ["flatten", "slab"])
def test_both_heads_share_the_filters_of_the_values(name):
    mixer, x = make_block(name, 6).double().mixer, images(2, 6, 4, 5)
    maps = mixer.read(x)
    filters = mixer.depthwise.weight.repeat(2, 1, 1, 1), mixer.depthwise.bias.repeat(2)
    local = functional.conv2d(maps[:, 12:], *filters, padding=2, groups=6)
    torch.testing.assert_close(mixer(x), mixer.attention(maps) + local)


def test_simplified_attention_is_the_sum_over_its_rectified_weights():
    layer, maps = SimplifiedAttention(2), images(1, 18, 3, 4)
    maps[:, :12:3] = maps[:, :12:3].abs()  # so that every query has a positive channel in each head
    expected = explicit(torch.relu, maps, 3, lambda q, k: q @ k.T)
    torch.testing.assert_close(layer(maps), expected, atol=1e-5, rtol=1e-4)  # for the 1e-6 in the divisor
    maps[:, 12:] = 1
    torch.testing.assert_close(layer(maps), torch.ones(1, 6, 3, 4, dtype=torch.double), atol=1e-4, rtol=0)
    torch.testing.assert_close(layer(-maps.abs()), torch.zeros(1, 6, 3, 4, dtype=torch.double))


def test_rank_augmented_attention_is_the_sum_over_its_weights():
    layer, maps = RankAugmentedAttention(2), images(1, 24, 3, 4)

    def weights(q, k):
        alpha = 12 * (k @ q.mean(0) / 3**0.5).softmax(0)
        return q @ k.T * alpha

    expected = explicit(lambda u: functional.elu(u) + 1, maps, 4, weights)
    torch.testing.assert_close(layer(maps), expected, atol=1e-5, rtol=1e-5)


def test_the_importance_of_the_keys_sums_to_their_number_and_is_one_for_equal_keys():
    query, key = images(2, 2, 12, 3), images(2, 2, 12, 3).flip(0)
    ones = torch.ones(2, 2, 12, 1, dtype=torch.double)
    torch.testing.assert_close(importance(query, key).sum(2), 12 * ones[:, :, 0])
    torch.testing.assert_close(importance(query, key[:, :, :1].expand(-1, -1, 12, -1)), ones)


def test_rala_is_the_modulated_sum_of_attention_and_local_values():
    mixer, x = make_block("rala", 6).double().mixer, images(2, 6, 4, 5)
    maps = mixer.read(x)
    local = functional.conv2d(maps[:, 12:18], mixer.depthwise.weight, mixer.depthwise.bias, padding=2, groups=6)
    torch.testing.assert_close(mixer(x), maps[:, 18:] * (mixer.attention(maps) + local))


def test_the_gaussian_kernel_is_symmetric_between_zero_and_one_and_forgets_where_zero_is():
    query = images(2, 3, 7, 4)
    kernel = gaussian(query, query)
    torch.testing.assert_close(kernel, kernel.transpose(2, 3))
    torch.testing.assert_close(kernel.diagonal(dim1=2, dim2=3), torch.ones(2, 3, 7, dtype=torch.double))
    assert kernel.min() > 0 and kernel.max() <= 1
    torch.testing.assert_close(gaussian(query + 5, query + 5), kernel)
    torch.testing.assert_close(kernel, (-torch.cdist(query, query).square() / 2).exp())


def test_with_all_positions_as_landmarks_nothing_is_lost():
    query, value = images(2, 2, 12, 3), images(2, 2, 12, 3).flip(3)
    torch.testing.assert_close(nystroem(query, query, value, ridge=0), gaussian(query, query) @ value)


def test_the_linear_system_of_soft_has_the_solution_of_the_papers_newton_steps():
    query, landmarks, value = images(12, 3), images(5, 3).flip(0), images(12, 3).flip(0)
    between = gaussian(landmarks, landmarks) + 0.01 * torch.eye(5, dtype=torch.double)
    inverse = 1.8 / between.sum(1).max() ** 2 * between
    for _ in range(20):
        inverse = 2 * inverse - inverse @ between @ inverse
    towards = gaussian(query, landmarks)
    torch.testing.assert_close(nystroem(query, landmarks, value), towards @ inverse @ towards.T @ value)


def test_soft_norms_after_its_sums_and_has_coarse_landmarks_in_the_first_stage():
    block, x = make_block("soft", 8).double(), images(2, 8, 5, 4)
    y = block.norm_mixer(x + block.write(block.mixer(x)))
    torch.testing.assert_close(block(x), block.norm_hidden(y + block.project(block.act(block.expand(y)))))
    assert [each.mixer_type.ratio for each in blocks.find("soft").by_stage(3)] == [4, 2, 2]


def test_all_channels_of_a_head_have_one_filter_in_soft():
    mixer, x = make_block("soft", 6).double().mixer, images(2, 6, 4, 5)
    maps = mixer.read(x)
    filters = mixer.filter.weight.repeat_interleave(3, 0)
    local = functional.conv2d(maps[:, 6:], filters, padding=1, groups=6)
    torch.testing.assert_close(mixer(x), mixer.attention(maps) + local)
