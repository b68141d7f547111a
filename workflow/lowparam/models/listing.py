"""Build networks by name, and list them: all with their counts, or one layer by layer."""

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lowparam.architectures import is_timm, split
from lowparam.models import blocks, timm_adapter
from lowparam.models.budget import solve_width
from lowparam.models.cost import cost, count_values, shapes_only
from lowparam.models.layers import leaves
from lowparam.models.skeletons import controlled, published
from lowparam.models.skeletons.controlled import Network

__all__ = ["layers", "network", "networks"]


def network(
    name: str,
    *,
    budget: int | None = None,
    classes: int = 10,
    in_channels: int = 3,
    size: int = 32,
    probe: str = "none",
    counting: str = "total",
    **skeleton: int,
) -> Network:
    """Build a network by name, of either mode.

    Parameters
    ----------
    name : str
        ``mobilenetv2``, ``mobilenetv2+gelu``, ``mobilenetv2_x0.5`` or ``timm:resnet18``.
    budget : int or None
        Parameters wanted, for the controlled mode; None is 100,000. A published network takes none.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.
    probe, counting, **skeleton
        As in params.yaml: ``depth``, ``divisor``, ``minimum``.

    Raises
    ------
    LowparamError
        For an unknown name, a budget that cannot be met, or images that the network cannot take.
    """
    images = {"classes": classes, "in_channels": in_channels, "size": size, "probe": probe}
    if is_timm(name):
        return timm_adapter.build(name, **images)
    if budget is None and split(name)[0] in blocks.published():
        return published.build(name, **images)
    if budget is None:
        blocks.find(name)
        budget = 100_000
    width = solve_width(name, budget, counting=counting, **images, **skeleton)
    return controlled.build(name, width, **images, **skeleton)


def networks(
    *, budget: int = 100_000, classes: int = 10, in_channels: int = 3, size: int = 32, names: list[str] | None = None
) -> pd.DataFrame:
    """List the networks with their costs for one image.

    Parameters
    ----------
    budget : int
        For the architectures of the controlled mode.
    classes, in_channels, size : int
        As in `network`.
    names : list of str or None
        Which; None takes all architectures and all published networks that take such images, without ablations.

    Returns
    -------
    DataFrame
        Columns ``mode``, ``network``, ``parameters``, ``body``, ``head``, ``macs``, ``weight_bytes``,
        ``weight_bytes_int8``, ``peak_activation_bytes``, ``peak_activation_bytes_int8``.
    """
    rows = []
    controlled = set(blocks.names()) | set(blocks.ablations())
    if names is None:
        changed = tuple(f"{ablation}_" for ablation in blocks.ablations())
        names = [*blocks.names(), *(name for name in blocks.published() if not name.startswith(changed))]
    for name in names:
        is_controlled = split(name)[0] in controlled
        with torch.device("cpu" if is_timm(name) else "meta"):
            net = network(
                name,
                budget=budget if is_controlled else None,
                classes=classes,
                in_channels=in_channels,
                size=size,
            )
        given = cost(net, in_channels, size)
        rows.append(
            {
                "mode": "controlled" if is_controlled else "published",
                "network": name,
                "parameters": given.parameters.total,
                "body": given.parameters.body,
                "head": given.parameters.head,
                "macs": given.macs,
                "weight_bytes": given.weight_bytes,
                "weight_bytes_int8": given.weight_bytes_int8,
                "peak_activation_bytes": given.peak_activation_bytes,
                "peak_activation_bytes_int8": given.peak_activation_bytes_int8,
            }
        )
    return pd.DataFrame(rows)


def layers(net: Network, *, in_channels: int, size: int) -> pd.DataFrame:
    """List the layers of a network in the order in which data flows.

    Parameters
    ----------
    net : Network
        What `network` gives.
    in_channels, size : int
        Of the image.

    Returns
    -------
    DataFrame
        Columns ``layer`` (its name in the network), ``type``, ``output`` (shape for one image, such as
        ``16 x 32 x 32``), ``parameters``, ``macs``. The columns add up to the network's parameters and MACs where
        all of them are in layers that have a name.
    """
    shapes = shapes_only(net)
    rows: dict[str, dict] = {}

    def note(name: str):
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            if isinstance(output, torch.Tensor) and name not in rows:
                rows[name] = {
                    "layer": name,
                    "type": type(module).__name__,
                    "output": " x ".join(str(n) for n in output.shape[1:]),
                    "parameters": count_values(module),
                }

        return hook

    for name, module in leaves(shapes):
        if not isinstance(module, timm_adapter.Tap):
            module.register_forward_hook(note(name))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.empty(1, in_channels, size, size, device="meta"))
    counts = counter.get_flop_counts()
    root = type(shapes).__name__
    for name, row in rows.items():
        row["macs"] = sum(counts.get(f"{root}.{name}", {}).values()) // 2
    return pd.DataFrame(list(rows.values()))
