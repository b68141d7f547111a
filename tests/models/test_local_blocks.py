"""Blocks with other spatial layers, and networks that have no block for the skeleton, against special cases."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lowparam.models import blocks
from lowparam.models.blocks import irevnet
from lowparam.models.blocks.ccnn import ContinuousKernel
from lowparam.models.blocks.convfirst import GroupedConv, grouped
from lowparam.models.blocks.localrelation import LocalRelation
from lowparam.models.blocks.nasnet import Adjust, Normal, Reduction
from lowparam.models.blocks.repmlp import PartitionPerceptron
from lowparam.models.blocks.visualtokens import Projector, Tokenizer, TokenTransformer
from lowparam.models.cost import count_macs, peak_activation_elements
from lowparam.models.make import Make
from lowparam.models.skeletons import published
from single_blocks import count, make_block, noise

TOTALS = {  # of 10 classes and colour images: the papers' where they have the network, else their formulas
    "ccnn_4_64": 45_946,
    "ccnn_4_96": 110_490,
    "ccnn_4_140": 201_042,
    "irevnet_d2_r4": 85_728,
    "irevnet_d6_r4": 285_988,
    "irevnet_d18_r4": 886_768,
    "irevnet_d6_r2": 635_488,
    "nasnet_f4_n1": 24_878,
    "nasnet_f4_n2": 36_918,
    "nasnet_f6_n1": 45_160,
    "nasnet_f8_n1": 70_674,
    "nasnet_f8_n2": 108_866,
    "nasnet_f12_n1": 137_398,
    "nasnet_f16_n2": 357_882,
    "nasnet_f32_n6": 3_328_234,
    "msdnet_l50_w1": 15_815,
    "msdnet_l100_w1": 59_090,
}


@pytest.mark.parametrize("name", ["convfirst", "localrelation", "repmlp", "ccnn", "visualtokens"])
@pytest.mark.parametrize(("before", "after", "stride"), [(9, 9, 1), (8, 13, 1), (7, 16, 2)])
def test_blocks_take_any_numbers_of_channels(name, before, after, stride):
    y = make_block(name, before, after, stride)(noise(2, before, 7, 5))
    assert y.shape == (2, after, -(-7 // stride), -(-5 // stride)) and y.isfinite().all()


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_published_networks_have_the_published_counts(name, total):
    with torch.device("meta"):
        net = published.build(name, classes=10, in_channels=3, size=32)
    assert count(net) == total


def test_convfirst_has_the_parameters_of_its_formula():
    c, t = 64, 6
    block = type("Block", (blocks.find("convfirst"),), {"expansion": t})(c, c, stride=1, hidden=t * c)
    assert count(block) == 9 * 8 * c + 2 * c + t * c**2 + 2 * t * c + t * c * c + 2 * c == 54_784


@pytest.mark.parametrize(("group", "same"), [(1, 12), (12, 1)])
def test_groups_of_one_channel_are_depthwise_and_one_group_is_dense(group, same):
    conv = grouped(12, 1, group)
    assert conv.groups == same


def test_the_last_of_the_groups_is_narrower_where_they_do_not_divide_the_channels():
    conv, x = GroupedConv(11, 2).double(), noise(2, 11, 7, 6)
    first = functional.conv2d(x[:, :8], conv.groups.weight, stride=2, padding=1)
    last = functional.conv2d(x[:, 8:], conv.rest.weight, stride=2, padding=1)
    torch.testing.assert_close(conv(x), torch.cat((first, last), 1))


def test_convfirst_passes_the_stream_where_its_last_norm_is_zero():
    block, x = make_block("convfirst", 16), noise(2, 16, 6, 6)
    nn.init.zeros_(block.project.norm.weight)
    torch.testing.assert_close(block(x), x)


def relation(channels: int = 8, stride: int = 1) -> LocalRelation:
    torch.manual_seed(0)
    return LocalRelation(Make(), channels, stride).double()


def still(layer: LocalRelation) -> LocalRelation:
    """Make query, key and the term of the offset zero."""
    for module in (layer.query, layer.key, layer.geometry[2]):
        nn.init.zeros_(module.weight), nn.init.zeros_(module.bias)
    return layer


@pytest.mark.parametrize("stride", [1, 2])
def test_local_relation_without_queries_keys_and_offsets_is_the_mean_of_the_neighbours_in_the_map(stride):
    x = noise(2, 10, 9, 5)
    expected = functional.avg_pool2d(x, 7, stride, 3, count_include_pad=False)
    torch.testing.assert_close(still(relation(10, stride))(x), expected)


def test_weights_of_local_relation_are_a_softmax_of_the_squared_difference_and_the_offset():
    layer, x = relation(), noise(1, 8, 5, 6)
    weights = layer.weights(x)
    torch.testing.assert_close(weights.sum(2), torch.ones(1, 1, 5, 6, dtype=torch.double))
    query, key = layer.query(x)[0, 0], layer.key(x)[0, 0]
    scores = {}
    for row in range(5):
        for column in range(6):
            if abs(row - 2) <= 3 and abs(column - 1) <= 3:
                offset = torch.tensor([row - 2, column - 1], dtype=torch.double).reshape(1, 2, 1, 1) / 3
                difference = (query[2, 1] - key[row, column]) ** 2
                scores[row - 2, column - 1] = layer.geometry(offset).squeeze() - difference
    expected = torch.stack(list(scores.values())).softmax(0)
    given = torch.stack([weights[0, 0, 7 * (dy + 3) + dx + 3, 2, 1] for dy, dx in scores])
    torch.testing.assert_close(given, expected)


def test_eight_channels_share_the_weights_of_local_relation():
    layer, x = relation(10), noise(1, 10, 5, 5)
    weights, patches = layer.weights(x), functional.unfold(x, 7, padding=3).reshape(10, 49, 25)
    expected = torch.stack([(weights[0, c // 8].flatten(1) * patches[c]).sum(0) for c in range(10)])
    torch.testing.assert_close(layer(x)[0].flatten(1), expected)


def trained(layer: nn.Module) -> nn.Module:
    """Give batch norms factors, shifts and statistics of some images."""
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.3, 2)
    return layer.eval()


@pytest.mark.parametrize(("channels", "sets", "size"), [(8, 1, 8), (8, 2, 8), (7, 3, 8), (6, 2, 7), (5, 5, 2)])
def test_the_perceptrons_of_repmlp_merge_into_one_matrix_a_set(channels, sets, size):
    torch.manual_seed(0)
    layer, x = trained(PartitionPerceptron(sets).double()), noise(2, channels, size, size)
    merged = layer.merged()
    torch.testing.assert_close(merged(x), layer(x))
    assert count(merged) == sets * (16**2 + 16)
    assert layer(x).shape == x.shape


def test_the_matrix_of_a_convolution_is_sparse_and_a_part_sees_no_other():
    layer = trained(PartitionPerceptron(2).double())
    nn.init.zeros_(layer.matrix.weight)
    nonzero = (layer.merged().matrix.weight.reshape(2, 16, 16).abs() > 1e-12).sum((1, 2))
    assert nonzero.tolist() == [100, 100]
    x = noise(1, 2, 8, 8)
    changed = x.clone()
    changed[..., :4, :4] += 1
    difference = (layer(changed) - layer(x)).abs()
    assert difference[..., :4, :4].min() > 0 and difference[..., 4:, :].max() == 0 and difference[..., 4:].max() == 0


def test_without_its_matrix_repmlp_is_a_depthwise_convolution_of_each_part():
    layer, x = trained(PartitionPerceptron(4).double()), noise(1, 4, 4, 4)
    nn.init.zeros_(layer.matrix.weight)
    expected = layer.norm(0 * x) + sum(conv(x) for conv in layer.convs)
    torch.testing.assert_close(layer(x), expected)


def test_a_shift_by_one_part_shifts_what_repmlp_makes_and_a_shift_by_a_position_does_not():
    layer, x = trained(PartitionPerceptron(2).double()), noise(1, 2, 8, 8)
    torch.testing.assert_close(layer(x.roll(4, 3)), layer(x).roll(4, 3))
    assert (layer(x.roll(1, 3)) - layer(x).roll(1, 3)).abs().max() > 0.1


@pytest.mark.parametrize("c", [16, 32, 64])
def test_repmlp_has_the_parameters_of_its_formula(c):
    sets, inside = c // 8, max(4, c // 4)
    learned = sets * (16**2 + 2 + 1 + 2 + 9 + 2)
    assert count(make_block("repmlp", c)) == 2 * c * inside + c + inside + learned + 4 * c + 8 * c**2 + 10 * c


def test_a_continuous_kernel_is_the_same_function_at_any_resolution():
    torch.manual_seed(0)
    coarse = ContinuousKernel(4, 7, 8)
    fine = ContinuousKernel(4, 13, 8)
    fine.load_state_dict(coarse.state_dict())
    torch.testing.assert_close(fine()[..., ::2, ::2], coarse())


def test_a_narrow_mask_leaves_the_centre_of_a_continuous_kernel():
    kernel = ContinuousKernel(4, 7, 8)
    nn.init.constant_(kernel.deviation, 1e-3)
    made = kernel()
    assert made[..., 3, 3].abs().min() > 0
    made[..., 3, 3] = 0
    assert made.abs().max() == 0


def test_a_ccnn_convolves_with_the_kernel_that_its_network_computes():
    block, x = make_block("ccnn", 8), noise(2, 8, 6, 6)
    kernel = block.conv.depthwise.parametrizations.weight[0]()
    assert kernel.shape == (8, 1, 7, 7)
    filtered = functional.conv2d(block.norm(x), kernel, block.conv.depthwise.bias, padding=3, groups=8)
    y = functional.gelu(block.mix(functional.gelu(block.conv.pointwise(filtered))))
    torch.testing.assert_close(block(x), x + y)
    assert [stage.kernel_size for stage in blocks.find("ccnn").by_stage(3)] == [13, 9, 7]


@pytest.mark.parametrize("c", [16, 32])
def test_ccnn_has_the_parameters_of_its_formula(c):
    h, layers = 8, 3
    kernel = 7 * h * (layers + 1) + layers * (h**2 + h) + h * c + c + 2
    assert count(make_block("ccnn", c)) == kernel + c + 2 * (c**2 + c) + 2 * c


def make(layer: type, *arguments: int) -> nn.Module:
    torch.manual_seed(0)
    return layer(Make().bind(blocks.find("visualtokens").defaults), *arguments).double()


def test_tokens_are_means_of_values_over_positions_whose_order_does_not_matter():
    layer, x, order = make(Tokenizer, 6, 4), noise(2, 6, 3, 5), torch.randperm(15)
    torch.testing.assert_close(layer(x.flatten(2)[..., order].reshape(x.shape)), layer(x))
    nn.init.zeros_(layer.place.weight)
    mean = layer.value(x.mean((2, 3), keepdim=True))
    torch.testing.assert_close(layer(x), mean.expand(-1, -1, 8, -1))


def test_the_transformer_of_tokens_does_not_know_their_order():
    layer, tokens, order = make(TokenTransformer, 6), noise(2, 6, 8, 1), torch.randperm(8)
    torch.testing.assert_close(layer(tokens[:, :, order]), layer(tokens)[:, :, order])
    key, query, value = (each(tokens).flatten(2).mT for each in (layer.key, layer.query, layer.value))
    attended = tokens.flatten(2).mT + (query @ key.mT / 3**0.5).softmax(2) @ value
    mapped = attended + functional.linear(
        functional.linear(attended, layer.first.weight.flatten(1)).relu(), layer.second.weight.flatten(1)
    )
    torch.testing.assert_close(layer(tokens).flatten(2).mT, mapped)


def test_a_position_gets_a_mean_of_tokens_and_the_block_none_where_values_are_zero():
    layer, x, tokens = make(Projector, 6, 4), noise(2, 6, 3, 5), noise(2, 4, 1, 1).expand(-1, -1, 8, -1)
    torch.testing.assert_close(layer(x, tokens), layer.value(tokens)[:, :, :1].expand(-1, -1, 3, 5))
    block, x = make_block("visualtokens", 8), noise(2, 8, 5, 5)
    nn.init.zeros_(block.projector.value.weight)
    torch.testing.assert_close(block(x), x)


def test_visual_tokens_are_in_the_last_stage_and_grow_linearly_with_positions():
    assert [stage.__name__ for stage in blocks.find("visualtokens").by_stage(3)] == [
        "InvertedResidual",
        "InvertedResidual",
        "VisualTokensBlock",
    ]
    block = make_block("visualtokens", 16).float()
    assert count(block) == 8 * 16**2 + 16 * 8
    for measure in (count_macs, peak_activation_elements):
        assert measure(block, 16, 32) == pytest.approx(16 * measure(block, 16, 8), rel=0.2)


@pytest.mark.parametrize(("channels", "size"), [(3, 16), (1, 8)])
def test_the_images_follow_from_the_last_map_of_an_irevnet(channels, size):
    torch.manual_seed(0)
    net = published.build("irevnet_d2_r4", classes=10, in_channels=channels, size=size).double()
    images = noise(4, channels, size, size)
    for _ in range(3):
        net.train()(images)  # statistics of the norms
    features = net.eval().features(images)
    assert features.numel() == images.numel()
    torch.testing.assert_close(irevnet.invert(net, features), images)


def test_an_irevnet_whose_functions_are_zero_permutes_the_image():
    net = published.build("irevnet_d2_r4", classes=10, in_channels=3, size=16).double().eval()
    for module in net.modules():
        if isinstance(module, irevnet.Coupling):
            nn.init.zeros_(module.third.weight)
    images = noise(1, 3, 16, 16)
    assert net.features(images).flatten().sort().values.equal(images.flatten().sort().values)


def test_positions_move_into_channels_in_the_order_row_column_channel_and_back():
    x = noise(2, 3, 4, 6)
    moved = irevnet.space_to_depth(x)
    expected = torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
    torch.testing.assert_close(moved, expected)
    torch.testing.assert_close(irevnet.depth_to_space(moved), x)


def test_images_that_three_strides_do_not_divide_are_filled_up():
    net = published.build("irevnet_d2_r4", classes=10, in_channels=1, size=28).double().eval()
    images = noise(2, 1, 28, 28)
    recovered = irevnet.invert(net, net.features(images))
    torch.testing.assert_close(recovered, functional.pad(images, (0, 4, 0, 4)))


def test_layers_of_a_mixed_scale_network_have_dilations_in_turn_and_keep_their_input():
    net = published.build("msdnet_l50_w1_d4", classes=10, in_channels=3, size=8).double()
    layers = list(net.stages[0])
    assert [layer.convs[0].dilation[0] for layer in layers[:6]] == [1, 2, 3, 4, 1, 2]
    assert [layer.out_channels for layer in layers[:3]] == [4, 5, 6] and layers[-1].out_channels == 53
    layers[0].act = layers[0].norm = nn.Identity()
    x = noise(2, 3, 8, 8)
    torch.testing.assert_close(layers[0](x)[:, :3], x)
    conv = layers[0].convs[0]
    torch.testing.assert_close(layers[0](x)[:, 3:], functional.conv2d(x, conv.weight, conv.bias, padding=1))


def test_the_mean_of_maps_of_classes_is_the_classifier_of_the_mean_map():
    net, x = published.build("msdnet_l50_w1", classes=10, in_channels=1, size=8).double().eval(), noise(2, 1, 8, 8)
    maps = functional.conv2d(net.features(x), net.classifier.weight[..., None, None], net.classifier.bias)
    torch.testing.assert_close(net(x), maps.mean((2, 3)))


def without_filters(cell: nn.Module) -> nn.Module:
    """Make the filters of all separable convolutions zero."""
    for conv in cell.convs.values():
        nn.init.zeros_(conv.second_pointwise.weight)
    return cell.double().eval()


def test_without_filters_a_normal_cell_of_nasnet_has_its_inputs_and_their_means():
    cell, h, p = without_filters(Normal(12, 24, stride=1, before=8)), noise(2, 12, 7, 6), noise(2, 8, 7, 6)
    ours, theirs, zero = cell.adjust_h(h), cell.adjust_p(p), torch.zeros(2, 4, 7, 6).double()
    mean = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    expected = torch.cat((theirs, zero, zero, mean(ours) + theirs, 2 * mean(theirs), ours), 1)
    torch.testing.assert_close(cell(h, p), expected)


def test_without_filters_a_reduction_cell_of_nasnet_pools():
    cell, h, p = without_filters(Reduction(12, 16, stride=2, before=8)), noise(2, 12, 7, 6), noise(2, 8, 7, 6)
    h = cell.adjust_h(h)
    largest, mean = nn.MaxPool2d(3, 2, 1)(h), nn.AvgPool2d(3, 2, 1, count_include_pad=False)(h)
    torch.testing.assert_close(cell(noise(2, 12, 7, 6), p), torch.cat((largest, mean, largest, largest), 1))


@pytest.mark.parametrize("size", [6, 7])
def test_a_map_of_twice_the_size_is_halved_by_all_positions_in_turn(size):
    """With filters that copy, one half of the channels has the even positions and the other the odd ones."""
    adjust, x = Adjust(2, 4, Make(), halves=True).double().eval(), noise(1, 2, size, size)
    for path in adjust.paths:
        path.weight.data = torch.eye(2).double()[..., None, None]
    even, odd = adjust(x).chunk(2, 1)
    positive, scale = x.clamp(min=0), (1 + adjust.norm.eps) ** 0.5
    torch.testing.assert_close(even * scale, positive[:, :, ::2, ::2])
    torch.testing.assert_close(odd[:, :, : size // 2, : size // 2] * scale, positive[:, :, 1::2, 1::2])
