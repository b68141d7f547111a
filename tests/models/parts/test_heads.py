"""Heads that read the last map: the dense contraction, the mean of tensor dropout, and invariances."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lowparam.errors import LowparamError
from lowparam.models.parts import gramian, tensor_regression
from lowparam.models.parts.gramian import GramianHeads
from lowparam.models.parts.tensor_regression import TensorRegression
from lowparam.models.skeletons import published
from lowparam.models.skeletons.controlled import build


def test_tensor_regression_is_the_dense_contraction():
    head, x = TensorRegression(6, 3, 4, 5, rank=7).eval(), torch.randn(2, 6, 3, 4)
    dense = torch.einsum("cr,hr,wr,kr->chwk", head.channels, head.rows, head.columns, head.classes)
    expected = torch.einsum("nchw,chwk->nk", x, dense) + head.bias
    torch.testing.assert_close(head(x), expected, rtol=1e-5, atol=1e-5)
    assert sum(p.numel() for p in head.parameters()) == 7 * (6 + 3 + 4 + 5) + 5


def test_constant_factors_of_the_positions_are_pooling_and_a_linear_layer():
    head, x = TensorRegression(6, 4, 4, 5, rank=3).eval(), torch.randn(2, 6, 4, 4)
    nn.init.constant_(head.rows, 1 / 4)
    nn.init.constant_(head.columns, 1 / 4)
    expected = F.linear(x.mean((2, 3)), head.classes @ head.channels.T, head.bias)
    torch.testing.assert_close(head(x), expected, rtol=1e-5, atol=1e-5)


def test_tensor_dropout_drops_terms_for_the_batch_and_changes_no_mean():
    torch.manual_seed(0)
    head, x = TensorRegression(6, 4, 4, 5, rank=8, dropout=0.4), torch.randn(2, 6, 4, 4)
    terms = torch.ones(2, 8)
    kept = torch.stack([head._kept(terms) for _ in range(4000)])
    assert kept.unique().tolist() == [0, pytest.approx(1 / 0.6)]
    torch.testing.assert_close(kept.mean((0, 1)), torch.tensor(1.0), rtol=0, atol=0.03)
    with torch.no_grad():
        logits = torch.stack([head(x) for _ in range(4000)])
        torch.testing.assert_close(logits.mean(0), head.eval()(x), rtol=0, atol=0.1 * logits.std().item())


def test_one_term_is_always_kept():
    torch.manual_seed(0)
    head = TensorRegression(6, 4, 4, 5, rank=3, dropout=0.99)
    assert all(head._kept(torch.ones(2, 3)).any() for _ in range(50))


@pytest.mark.parametrize(("size", "last"), [(8, 2), (28, 4), (30, 4), (32, 4)])
def test_the_head_knows_the_size_of_the_last_map_and_costs_about_the_plain_head(size, last):
    net = build("mobilenetv2+tensor_regression", 16.0, classes=10, in_channels=1, size=size)
    head = net.classifier
    assert (len(head.rows), len(head.columns)) == (last, last)
    assert net(torch.rand(2, 1, size, size)).shape == (2, 10)
    count = sum(p.numel() for p in head.parameters())
    assert count == pytest.approx(64 * 10 + 10, abs=(64 + 2 * last + 10) / 2)


def test_logits_at_the_start_vary_about_as_those_of_a_linear_layer():
    torch.manual_seed(0)
    x = torch.ones(1, 256, 4, 4)  # equal positions, as torch's layer reads them after pooling
    logits = torch.stack([tensor_regression.make(256, 10, 4).eval()(x) for _ in range(200)])
    plain = torch.stack([nn.Linear(256, 10, bias=False)(x.mean((2, 3))) for _ in range(200)])
    assert 0.1 < (logits.std() / plain.std()).item() < 3


def test_gramian_heads_ignore_the_order_of_positions_and_a_common_factor():
    head, x = gramian.make(6, 5, 4).eval(), torch.randn(2, 6, 4, 4)
    order = torch.randperm(16)
    moved = x.flatten(2)[:, :, order].view_as(x)
    torch.testing.assert_close(head(moved), head(x), rtol=1e-5, atol=1e-5)
    for each in head.heads:
        nn.init.zeros_(each.reduce.bias)
    torch.testing.assert_close(head(3 * x), head(x), rtol=1e-5, atol=1e-5)


def test_gramian_heads_count_as_the_closed_form_and_add_their_logits():
    head = GramianHeads(64, 10)
    assert sum(p.numel() for p in head.parameters()) == 2670
    x = torch.randn(2, 64, 4, 4)
    torch.testing.assert_close(head(x), sum(each(x) for each in head.heads))
    y = head.heads[0].reduce(x).flatten(2)
    gram = torch.einsum("ncp,ndp->ncd", y, y)
    upper = torch.stack([gram[:, i, j] for i in range(8) for j in range(i, 8)], 1)
    expected = head.heads[0].linear(upper / upper.norm(dim=1, keepdim=True))
    torch.testing.assert_close(head.heads[0](x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["tensor_regression", "gramian"])
def test_a_published_network_keeps_its_head(part):
    with pytest.raises(LowparamError, match="a published network keeps its head"):
        published.build(f"mobilenetv2_x0.1+{part}", classes=10, in_channels=3, size=32)
