"""CRATE's block, two steps of coding (Yu et al. 2023, arXiv 2306.01129, section 2.3; the authors' model/crate.py).

The paper's networks classify by a class token and have a table of positions; neither exists in the skeleton here, so
there are no published networks. A token is a position of the map.
"""

from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d, Sum
from lowparam.models.make import Defaults

__all__ = ["ARCHITECTURES", "CRATEBlock", "CodingStep", "SubspaceAttention"]

HEADS = 4
STEP, SPARSITY = 0.1, 0.1  # eta and lambda


class SubspaceAttention(nn.Module):
    """Multi-head subspace self-attention: one projection for query, key and value (equation 11), on (N, C, H, W).

    Per head softmax(d^-1/2 u u^T) u over all positions. Quadratic in the number of positions.

    Parameters
    ----------
    heads : int
        The channels are those of all heads, one after the other.
    """

    drawn = "MSSA"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, u: Tensor) -> Tensor:
        n, channels, height, width = u.shape
        tokens = u.reshape(n, self.heads, channels // self.heads, height * width).transpose(2, 3)
        mixed = functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return mixed.transpose(2, 3).reshape(n, channels, height, width)


class CodingStep(nn.Module):
    """y + eta D^T (y - D y) - eta lambda, from y and D y: a step of ISTA before its rectifier (equation 17).

    Parameters
    ----------
    dictionary : nn.Conv2d
        D as a 1x1 convolution; it belongs to the block and is only read here.
    """

    drawn = "ISTA step"

    def __init__(self, dictionary: nn.Conv2d) -> None:
        super().__init__()
        self._dictionary = (dictionary,)  # in a tuple, so that it is not registered twice

    def forward(self, y: Tensor, coded: Tensor) -> Tensor:
        transposed = self._dictionary[0].weight.transpose(0, 1)
        return y + STEP * functional.conv2d(y - coded, transposed) - STEP * SPARSITY


class CRATEBlock(Block):
    """z = x + PW(MSSA(U LN x)), then ReLU(y + eta (D^T y - D^T D y) - eta lambda) with y = LN z: compress, sparsify.

    The second step has no shortcut, so the stream is never negative. U and D are 1x1 convolutions without bias; D is
    the dictionary of one ISTA step (equation 17), eta = lambda = 0.1. Four heads; where 4 does not divide the width,
    heads are as wide as the next multiple of 4 allows. A block that strides or widens begins with a norm and a dense
    3x3. The shortcut is inside, so a probe at S1 or S2 acts on the output.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.ReLU, bias=True)
    expansion = 1.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make, width = self.bound(make), out_channels

        def embedding(stride: int) -> nn.Conv2d:
            return nn.Conv2d(in_channels, width, 3, stride, 1)

        self.embed = (
            nn.Sequential(make.norm(in_channels), make.striding(embedding, width, stride))
            if stride > 1 or in_channels != width
            else None
        )
        inner = HEADS * -(-width // HEADS)
        self.norm_attention = make.norm(width)
        self.subspaces = make.pointwise(width, inner, bias=False)
        self.attention = SubspaceAttention(HEADS)
        self.write = make.pointwise(inner, width)
        self.norm_coding = make.norm(width)
        self.dictionary = make.pointwise(width, width, bias=False)
        nn.init.kaiming_uniform_(self.dictionary.weight)
        self.coding = CodingStep(self.dictionary)
        self.sum = Sum()
        self.act = make.activation(width)

    def branch(self, x: Tensor) -> Tensor:
        if self.embed is not None:
            x = self.embed(x)
        z = self.sum(x, self.write(self.attention(self.subspaces(self.norm_attention(x)))))
        y = self.norm_coding(z)
        return self.act(self.coding(y, self.dictionary(y)))

    def inner_sites(self) -> list[Site]:
        """Return the sites; the code, which the dictionary makes, is the stream itself and not listed twice."""
        return [
            Site("expansion", self.subspaces, self.subspaces),
            Site("spatial", self.attention),
            Site("projection", self.write, self.write),
        ]


ARCHITECTURES = {"crate": CRATEBlock}
