"""Efficient local attention: counts of the four sizes, symmetry of the two axes, and the open gate."""

import pytest
import torch

from lowparam.models.parts import ela_b, ela_l, ela_s, ela_t

SIZES = [(ela_t, 7), (ela_b, 9), (ela_s, 42), (ela_l, 58)]


@pytest.mark.parametrize(("part", "each"), SIZES)
def test_the_count_is_the_closed_form(part, each):
    assert sum(p.numel() for p in part.make(96).parameters()) == 96 * each


@pytest.mark.parametrize(("part", "groups"), [(ela_t, 32), (ela_b, 16), (ela_s, 16), (ela_l, 16)])
def test_groups_are_as_published_and_divide_any_width(part, groups):
    assert part.make(96).norm.num_groups == groups
    for channels in (12, 13, 20):
        assert part.make(channels)(torch.randn(2, channels, 2, 2)).isfinite().all()


@pytest.mark.parametrize(("part", "each"), SIZES)
def test_an_axis_that_sees_nothing_halves(part, each):
    gate, x = part.make(32), torch.randn(2, 32, 5, 6)
    torch.nn.init.zeros_(gate.convs[0].weight)
    torch.testing.assert_close(gate(x), x / 4, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("part", "each"), SIZES)
def test_rows_and_columns_are_weighed_alike(part, each):
    gate, x = part.make(32), torch.randn(2, 32, 5, 6)
    torch.testing.assert_close(gate(x.mT), gate(x).mT)


@pytest.mark.parametrize(("part", "each"), SIZES)
def test_the_scale_of_an_image_does_not_change_its_weights(part, each):
    gate, x = part.make(32).double(), torch.randn(2, 32, 5, 6, dtype=torch.double)
    torch.testing.assert_close(gate(30 * x) / 30, gate(10 * x) / 10, rtol=0, atol=1e-3)


@pytest.mark.parametrize("part", [ela_s, ela_l])
def test_the_count_grows_with_the_width_and_channels_that_remain_are_a_smaller_group(part):
    counts = [sum(p.numel() for p in part.make(channels).parameters()) for channels in range(4, 40)]
    assert counts == sorted(counts)
    assert [(conv.in_channels, conv.groups) for conv in part.make(19).convs] == [(16, 2), (3, 1)]
