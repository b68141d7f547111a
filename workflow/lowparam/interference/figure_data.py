"""Store the arrays behind the figures of a profile: directions, spectra and cross-talk at the ends of stages.

A profile stores them in one safetensors file, under ``<site>/<what>`` and, for the untrained network,
``untrained/<site>/<what>``:

``directions``   W' of a pointwise layer, (m, n), a direction a column (`measures.dimensionality`)
``eigenvalues``  of the correlations between channels, from the largest, (C,), and ``images``, the number of images
``cross_talk``   J, (K, K): what a push towards a class does to each logit (`measures.class_cross_talk`)
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lowparam import paths
from lowparam.errors import LowparamError
from lowparam.files import atomic
from lowparam.interference.context import Context
from lowparam.interference.pointwise import activity_weighted, directions, pointwise_matrix
from lowparam.interference.sums import Moments

__all__ = ["correlation_eigenvalues", "gather", "read", "write"]


def correlation_eigenvalues(moments: Moments) -> Tensor:
    """Return the eigenvalues (channels that vary,) of the correlations between channels, from the largest, float64.

    Up to rounding they are 0 or more and sum to the number of channels that vary.
    """
    covariance = moments.covariance()
    deviation = moments.deviations()[0]
    varies = deviation > 0
    correlation = (covariance / deviation[:, None] / deviation)[varies][:, varies]
    return torch.linalg.eigvalsh(correlation).flip(0)


def gather(context: Context) -> dict[str, Tensor]:
    """Return directions, eigenvalues and what measures have added, in float32; drop empty and non-finite arrays."""
    arrays: dict[str, Tensor] = {}
    for name in context.last_stage_sites:
        site, inputs = context.sites[name], context.inputs.get(name)
        if site.pointwise is not None and inputs is not None and pointwise_matrix(site.pointwise).isfinite().all():
            arrays[f"{name}/directions"] = directions(site, activity_weighted(site, inputs.deviations()[0]))
    for name in context.shown_stages:
        outputs = context.outputs.get(name)
        if outputs is not None and outputs.total.isfinite().all():
            arrays[f"{name}/eigenvalues"] = correlation_eigenvalues(outputs)
            arrays[f"{name}/images"] = torch.tensor(context.statistics.images)
    arrays |= context.arrays
    return {
        key: value.float().cpu().contiguous()
        for key, value in arrays.items()
        if value.numel() and value.isfinite().all()
    }


def write(path: Path, arrays: Mapping[str, Tensor], *, classes: list[str]) -> None:
    """Write arrays and the names of the classes to a safetensors file, atomically."""
    with atomic(path) as temporary:
        save_file(dict(arrays), temporary, metadata={"classes": json.dumps(classes, ensure_ascii=False)})


def read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Read what `write` wrote, the arrays and the names of the classes.

    Raises
    ------
    LowparamError
        If the file is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            classes = json.loads(file.metadata()["classes"])
            return {key: file.get_tensor(key) for key in file.keys()}, classes  # noqa: SIM118
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist; profile the run first") from error
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise LowparamError(f"{path} holds no arrays of a profile; {paths.remedy(path)}") from error
