"""Layers that blocks, parts and skeletons share, one file a family.

A new layer is a class in the file of its family, or in a new file, and is imported from there. Its docstring gives the
formula and the paper. A layer that is drawn as one shape with a name of its own in the pictures of docs/architectures
has that name in its class attribute ``drawn``; otherwise its children are drawn.
"""

from lowparam.models.layers.conv import ConvNormAct, conv_norm_act, largest_divisor, make_divisible
from lowparam.models.layers.gate import SqueezeExcite
from lowparam.models.layers.initialise import kaiming, rectifier_normal, truncated_normal
from lowparam.models.layers.join import Product, Sum
from lowparam.models.layers.norm import LayerNorm2d
from lowparam.models.layers.scale import LayerScale
from lowparam.models.layers.walk import leaves

__all__ = [
    "ConvNormAct",
    "LayerNorm2d",
    "LayerScale",
    "Product",
    "SqueezeExcite",
    "Sum",
    "conv_norm_act",
    "kaiming",
    "largest_divisor",
    "leaves",
    "make_divisible",
    "rectifier_normal",
    "truncated_normal",
]
