"""Iterate over the layers of a network."""

from collections.abc import Iterator

from torch import nn

__all__ = ["leaves"]


def leaves(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Iterate over the modules without children that compute something, with their names, in order of registration.

    A convolution whose kernel is made by a part (`torch.nn.utils.parametrize`) is one layer; what makes its kernel is
    none.
    """
    for name, module in net.named_modules():
        inner = [child for child, _ in module.named_children() if child != "parametrizations"]
        if not inner and "parametrizations" not in name.split(".") and not isinstance(module, nn.Identity):
            yield name, module
