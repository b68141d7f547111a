"""ViG's block, gated linear attention in two directions (Liao et al. 2024, arXiv 2405.18425; models/vig.py).

Not Vision GNN, which has the same name. The paper's networks have a table of positions, which does not exist here, so
there are no published networks. A token is a position of the map; tokens are read row by row.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import HiddenBranch, embedding
from lowparam.models.layers import Sum
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "GatedLinearAttention", "GatedLocality", "RMSNorm2d", "ViGBlock", "scan"]

CHUNK = 16  # tokens at once
RANK, FLATTEN = 16, 16  # at most of the gates' matrix; what the logarithm of a gate is divided by


class RMSNorm2d(nn.RMSNorm):
    """x over its root mean square over the channels of (N, C, H, W), at each position, times a factor a channel."""

    drawn = "RMSNorm"

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def scan(query: Tensor, key: Tensor, value: Tensor, log_gate: Tensor) -> Tensor:
    """Return o_t = q_t S_t, where S_t = diag(alpha_t) S_{t-1} + k_t^T v_t and S_0 = 0, for tokens (..., T, d).

    Query, key and the logarithm of alpha, which is not above 0, are of one width; the output has that of the values.
    Tokens are taken in chunks, so time and memory grow linearly with their number; no power of e is positive, so none
    overflows.
    """
    tokens, missing = query.shape[-2], -query.shape[-2] % CHUNK
    query, key, value, log_gate = (
        F.pad(each, (0, 0, 0, missing)).unflatten(-2, (-1, CHUNK)) for each in (query, key, value, log_gate)
    )
    since = log_gate.cumsum(-2)  # of all gates of the chunk up to a token
    between = (since[..., :, None, :] - since[..., None, :, :]).clamp(max=0)
    weights = (query[..., :, None, :] * key[..., None, :, :] * between.exp()).sum(-1).tril()
    within = weights @ value
    reads, writes = query * since.exp(), key * (since[..., -1:, :] - since).exp()
    moments, kept = writes.transpose(-1, -2) @ value, since[..., -1, :, None].exp()
    state, before = torch.zeros_like(moments[..., 0, :, :]), []
    for chunk in range(moments.shape[-3]):
        before.append(state)
        state = kept[..., chunk, :, :] * state + moments[..., chunk, :, :]
    return (within + reads @ torch.stack(before, -3)).flatten(-3, -2)[..., :tokens, :]


class GatedLinearAttention(nn.Module):
    """The mean of two scans of all tokens, from the first to the last and back, without a sum to divide by.

    From queries, keys and values in (N, 2 K + C, H, W) and the gates of both directions (N, 2 K, H, W) to (N, C, H, W).
    A gate is sigmoid(g)^(1/16), so that it forgets slowly; queries are divided by the root of K.

    Parameters
    ----------
    keys : int
        K.
    """

    drawn = "gated linear attention"

    def __init__(self, keys: int) -> None:
        super().__init__()
        self.keys = keys

    def forward(self, maps: Tensor, gates: Tensor) -> Tensor:
        tokens = maps.flatten(2).transpose(1, 2)
        query, key, value = tokens.split((self.keys, self.keys, tokens.shape[2] - 2 * self.keys), 2)
        forward, backward = (F.logsigmoid(gates) / FLATTEN).flatten(2).transpose(1, 2).chunk(2, 2)
        query, key, value = (torch.stack((each, each.flip(1))) for each in (query * self.keys**-0.5, key, value))
        there, back = scan(query, key, value, torch.stack((forward, backward.flip(1))))
        return ((there + back.flip(1)) / 2).transpose(1, 2).reshape(maps.shape[0], -1, *maps.shape[2:])


class GatedLocality(nn.Module):
    """SiLU(s a + (1 - s) b), from a, b and a map whose sigmoid is s, all (N, C, H, W)."""

    drawn = "gated locality, SiLU"

    def forward(self, attended: Tensor, local: Tensor, gate: Tensor) -> Tensor:
        share = gate.sigmoid()
        return F.silu(attended * share + local * (1 - share))


class ViGBlock(Block):
    """x + PW(SiLU(s N A(l) + (1 - s) N l)) with l = SiLU(DW 3x3 (N x)), then x + F(N x), with N the RMS norm.

    A is gated linear attention: along the rows of the map, from the first position to the last, a matrix of keys and
    values decays by a gate for each channel of the keys, takes up each position and is read by its query; the same
    backwards, and the mean of the two. s is the sigmoid of a PW of l, and F is PW to the hidden width, SiLU, PW. One
    head, whose keys are half as wide as the stream: in the paper heads are 64 wide. A block that strides or widens
    begins with a dense 3x3 and a norm. Both shortcuts are inside, so a probe at S1 or S2 acts on the output. Linear in
    the number of positions.
    """

    defaults = Defaults(norm=RMSNorm2d, activation=nn.SiLU)
    expansion = 4.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        keys = max(1, round(hidden / self.expansion / 2))  # not of the rounded width: budgets are met in smaller steps
        self.embed = embedding(make, in_channels, width, stride)
        self.norm_mixer = make.norm(width)
        self.depthwise = make.spatial(width, 3)
        self.act = make.activation(width)
        self.read = make.pointwise(width, 2 * keys + width)
        self.gates = _gates(make, width, keys)
        self.attention = GatedLinearAttention(keys)
        self.norm_attended, self.norm_local = make.norm(width), make.norm(width)
        self.share = make.pointwise(width, width, bias=True)
        self.locality = GatedLocality()
        self.write = make.pointwise(width, width)
        self.scale_mixer = make.scale(width)
        self.mlp = HiddenBranch(make, width, hidden, bias=True)
        self.sum_mixer, self.sum_hidden = Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        local = self.act(self.depthwise(self.norm_mixer(x)))
        attended = self.norm_attended(self.attention(self.read(local), self.gates(local)))
        y = self.locality(attended, self.norm_local(local), self.share(local))
        x = self.sum_mixer(x, self.scale_mixer(self.write(y)))
        return self.sum_hidden(x, self.mlp(x))

    def inner_sites(self) -> list[Site]:
        """Return the sites; query, key and value are one map, and the gated mean of two maps counts as spatial."""
        gamma = getattr(self.scale_mixer, "gamma", None)
        return [
            Site("spatial", self.act),
            Site("expansion", self.read, self.read, name="read"),
            Site("spatial", self.locality, name="attention"),
            Site("projection", self.scale_mixer, self.write, scale=gamma, name="write"),
            *self.mlp.sites(),
        ]


def _gates(make: Make, width: int, keys: int) -> nn.Module:
    """Make the layer that reads the gates of both directions, of low rank; their bias begins at 0."""
    rank = min(RANK, keys)
    last = make.pointwise(rank, 2 * keys, bias=True)
    nn.init.zeros_(last.bias)
    return nn.Sequential(make.pointwise(width, rank, bias=False), last)


ARCHITECTURES = {"vig": ViGBlock}
LABELS = {"vig": "ViG"}
