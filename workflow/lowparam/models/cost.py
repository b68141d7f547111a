"""What a network costs: parameters, multiply-accumulates, memory of activations."""

from dataclasses import dataclass

from torch import nn

__all__ = ["Parameters", "count_parameters"]


@dataclass(frozen=True)
class Parameters:
    """Numbers of trainable values.

    ``head`` is what comes after the last block (the classifier, and widening layers where a published network has
    them); ``body`` is the rest.
    """

    total: int
    body: int
    head: int


def count_parameters(net: nn.Module) -> Parameters:
    """Count the elements of all parameters (buffers are not parameters)."""
    total = sum(p.numel() for p in net.parameters())
    head = sum(p.numel() for p in net.classifier.parameters())
    return Parameters(total, total - head, head)
