"""Build the network of a run from its specification, and load its weights."""

import importlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from lowparam import paths
from lowparam.errors import LowparamError
from lowparam.models.budget import solve_width
from lowparam.models.skeletons import controlled, published
from lowparam.models.skeletons.controlled import Network

__all__ = ["load_weights", "network_for", "width_for"]


def width_for(spec: dict[str, Any], *, classes: int, in_channels: int, size: int) -> float | None:
    """Find the width of the first stage, before rounding, of a run in controlled mode; None in published mode.

    Parameters and errors are those of `network_for`.
    """
    if spec["mode"] != "controlled":
        return None
    return solve_width(
        spec["architecture"], spec["budget"], counting=spec["counting"], **_skeleton(spec, classes, in_channels, size)
    )


def network_for(spec: dict[str, Any], *, classes: int, in_channels: int, size: int) -> Network:
    """Build the network of a run, with random weights; the caller seeds.

    Parameters
    ----------
    spec : dict
        The specification of the run (`lowparam.params.run_spec`); keys of the recipe and of the data are not read.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.

    Raises
    ------
    LowparamError
        If the names are unknown, the budget cannot be met, or the network cannot take such images.
    """
    images = {"classes": classes, "in_channels": in_channels, "size": size}
    if spec["architecture"].startswith("timm:"):
        # Imported only here, and by name, so that no other run waits for timm or depends on the adapter's code.
        adapter = importlib.import_module("lowparam.models.timm_adapter")
        return adapter.build(spec["architecture"], probe=spec["probe"], **images)
    if spec["mode"] == "published":
        return published.build(spec["architecture"], probe=spec["probe"], **images)
    width = width_for(spec, **images)
    return controlled.build(spec["architecture"], width, **_skeleton(spec, classes, in_channels, size))


def load_weights(net: nn.Module, path: Path) -> None:
    """Read the weights of a run into its network.

    Raises
    ------
    LowparamError
        If the file is missing, damaged, or of another network.
    """
    try:
        net.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist; train the run first") from error
    except (OSError, SafetensorError) as error:
        raise LowparamError(f"cannot read {path}: {error}; {paths.remedy(path)}") from error
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise LowparamError(f"{path} holds the weights of another network: {first}; {paths.remedy(path)}") from error


def _skeleton(spec: dict[str, Any], classes: int, in_channels: int, size: int) -> dict[str, Any]:
    return {
        "classes": classes,
        "in_channels": in_channels,
        "size": size,
        "probe": spec["probe"],
        "depth": spec["depth"],
        "divisor": spec["divisor"],
        "minimum": spec["minimum_width"],
    }
