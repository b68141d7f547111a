import math

import pytest
import torch
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.models.probes import find_probe
from lowparam.models.probes import names as probe_names
from lowparam.models.probes.scale import ScaleOnly
from lowparam.models.probes.solu import SoLU
from lowparam.models.probes.topk import TopK
from lowparam.models.skeletons import controlled

PLACES = ("s1", "s2", "s3")


def vector(*values: float) -> Tensor:
    """One position with these channels: shape (1, C, 1, 1)."""
    return torch.tensor(values, dtype=torch.double).reshape(1, -1, 1, 1)


def gaussian(channels: int, std: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return std * torch.randn(4096, channels, 1, 1, generator=generator, dtype=torch.double)


def rms(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


def test_solu_of_4_1_4_1():
    # The example of Elhage et al. 2022: softmax gives (0.4763, 0.0237, 0.4763, 0.0237).
    large, small = math.e**4, math.e
    total = 2 * (large + small)
    expected = vector(4 * large / total, small / total, 4 * large / total, small / total)
    given = SoLU()(vector(4, 1, 4, 1))
    torch.testing.assert_close(given, expected)
    assert given.flatten().tolist() == pytest.approx([1.91, 0.02, 1.91, 0.02], abs=0.005)


def test_solu_looks_at_each_position_by_itself():
    x = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    alone = SoLU()(x[1:, :, 2:, :1])
    torch.testing.assert_close(SoLU()(x)[1:, :, 2:, :1], alone)


@pytest.mark.parametrize(
    ("channels", "std", "ratio"),
    [(8, 1, 0.270), (16, 1, 0.163), (64, 1, 0.051), (320, 1, 0.011), (1280, 1, 0.003), (16, 4, 0.382), (320, 4, 0.103)],
)
def test_solu_shrinks_by_an_amount_that_depends_on_the_width(channels, std, ratio):
    # Measured on 4096 Gaussian vectors; RMS of the output over RMS of the input.
    x = gaussian(channels, std)
    assert rms(SoLU()(x)) / rms(x) == pytest.approx(ratio, rel=0.05, abs=0.0006)


def test_times_channels_leaves_equal_channels_as_they_are():
    x = vector(0.7, 0.7, 0.7, 0.7)
    torch.testing.assert_close(SoLU(times_channels=True)(x), x)


def test_layer_norm_undoes_the_shrinking():
    y = SoLU(normalise=True)(gaussian(64, std=4))
    torch.testing.assert_close(y.mean(dim=1), torch.zeros_like(y.mean(dim=1)), atol=1e-9, rtol=0)
    assert rms(y) == pytest.approx(1, abs=1e-3)


def test_temperature_divides_what_the_softmax_sees():
    # x / 4 = (1, 0): weights e / (e + 1) and 1 / (e + 1)
    torch.testing.assert_close(SoLU(temperature=4)(vector(4, 0)), vector(4 * math.e / (math.e + 1), 0))


def test_scale_only_has_the_norm_of_solu_and_the_direction_of_its_input():
    x = gaussian(32)
    y = ScaleOnly()(x)
    torch.testing.assert_close(y.norm(dim=1), SoLU()(x).norm(dim=1))
    torch.testing.assert_close(torch.cosine_similarity(x, y, dim=1), torch.ones(4096, 1, 1, dtype=torch.double))


def test_scale_only_takes_zeros():
    assert ScaleOnly()(torch.zeros(1, 4, 2, 2)).eq(0).all()


def test_top_k_keeps_as_many_channels_as_solu_uses():
    # SoLU(4, 1, 4, 1) has the participation ratio (2 * 1.905 + 2 * 0.024)^2 / (2 * 1.905^2 + 2 * 0.024^2) = 2.05.
    assert TopK()(vector(4, 1, 4, 1)).flatten().tolist() == [4, 0, 4, 0]
    assert TopK()(vector(1, 1, 1, 1)).flatten().tolist() == [1, 1, 1, 1]
    assert TopK()(vector(9, 1, 1, 1)).flatten().tolist() == [9, 0, 0, 0]
    assert TopK()(vector(0, 0)).isfinite().all()


def test_top_k_is_as_sparse_as_solu_is_concentrated():
    x = gaussian(64)
    y = SoLU()(x).abs()
    used = y.sum(dim=1).square() / y.square().sum(dim=1)
    kept = TopK()(x).ne(0).sum(dim=1)
    assert (kept - used).abs().max() <= 0.5


def test_every_variant_exists_in_every_place():
    variants = ("solu_{}", "solu_{}_xc", "solu_{}_ln", "scale_{}", "topk_{}", "solu_{}_t4", "solu_{}_t0.25")
    assert set(probe_names()) == {"none"} | {v.format(place) for v in variants for place in PLACES}


def test_no_variant_has_parameters():
    counts = {
        sum(
            p.numel()
            for p in controlled.build("mobilenetv2", 8.0, classes=10, in_channels=1, size=8, probe=name).parameters()
        )
        for name in probe_names()
    }
    assert len(counts) == 1


def test_placements_act_where_they_say():
    block = {
        name: controlled.build("mobilenetv2", 8.0, classes=10, in_channels=1, size=8, probe=name).stages[0][0].eval()
        for name in ("none", "solu_s1", "solu_s2", "solu_s3")
    }
    weights = block["none"].state_dict()
    x = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    for other in block.values():
        other.load_state_dict(weights)
    branch = block["none"].branch(x)
    torch.testing.assert_close(block["none"](x), x + branch)
    torch.testing.assert_close(block["solu_s1"](x), SoLU()(x + branch))
    torch.testing.assert_close(block["solu_s2"](x), x + SoLU()(branch))
    inside = block["solu_s3"]
    expanded = SoLU()(inside.expand.norm(inside.expand.conv(x)))
    filtered = SoLU()(inside.depthwise.norm(inside.depthwise.conv(expanded)))
    torch.testing.assert_close(inside(x), x + inside.project(filtered))


def test_a_block_without_a_shortcut_gets_solu_on_its_output():
    net = controlled.build("mobilenetv1", 8.0, classes=10, in_channels=1, size=8, probe="solu_s1").eval()
    block, x = net.stages[0][0], torch.rand(2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(x), SoLU()(block.branch(x)))


def test_an_unknown_activation_names_those_that_exist():
    with pytest.raises(LowparamError, match="unknown probe 'softmax': known are none, scale_s1"):
        find_probe("softmax")
