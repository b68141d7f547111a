"""Initialise networks: each function sets the weights of one module."""

from torch import nn

__all__ = ["kaiming", "rectifier_normal", "truncated_normal"]


def kaiming(module: nn.Module) -> None:
    """Initialise like the MobileNets: convolutions normal by fan-out (He et al. 2015), linear layers normal 0.01."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def truncated_normal(module: nn.Module) -> None:
    """Initialise like ConvNeXt: convolutions and linear layers truncated normal 0.02, biases zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def rectifier_normal(module: nn.Module, slope: float) -> None:
    """Initialise a convolution before a rectifier of a slope below 0 (He et al. 2015, arXiv 1502.01852, equation 15).

    Weights are normal with variance 2 / ((1 + slope^2) n), n the inputs of an output value, and biases zero, so that
    the variance of a map is that of the map before it.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=slope)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
