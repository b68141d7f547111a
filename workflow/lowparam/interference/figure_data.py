"""What the figures of a profile show that is no single value: directions, spectra and cross-talk at the ends of stages.

A profile keeps them in one safetensors file, under ``<site>/<what>`` and, for the untrained network,
``untrained/<site>/<what>``:

``directions``   W' of a pointwise layer, (m, n), a direction a column (`dimensionality`)
``eigenvalues``  of the correlations between channels, from the largest, (C,), and ``images``, how many they are from
``cross_talk``   J, (K, K): what a push towards a class does to each logit (`steering`)
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.files import atomic
from lowparam.interference.measures.dimensionality import activity_weighted, directions, pointwise_matrix
from lowparam.interference.one_pass import Moments, Statistics
from lowparam.models.blocks import Site

__all__ = ["at_ends", "correlation_eigenvalues", "gather", "read", "write"]


def at_ends(sites: Mapping[str, Site], ends: list[str], most: int = 3) -> list[str]:
    """The projections, reductions, or else streams of at most `most` blocks at the ends of stages, the last ones."""
    names = []
    for end in ends[-most:]:
        block = end.rpartition(".")[0]
        names.append(next((n for n in (f"{block}.projection", f"{block}.reduction") if n in sites), end))
    return names


def correlation_eigenvalues(moments: Moments) -> Tensor:
    """Eigenvalues of the correlations between the channels that vary, from the largest, float64."""
    covariance = moments.covariance()
    deviation = moments.deviations()[0]
    some = deviation > 0
    correlation = (covariance / deviation[:, None] / deviation)[some][:, some]
    return torch.linalg.eigvalsh(correlation).flip(0)


def gather(
    sites: Mapping[str, Site], ends: list[str], statistics: Statistics, effects: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Directions, eigenvalues and cross-talk at the ends of stages, in float32, without the empty and the not finite.

    Parameters
    ----------
    sites, ends
        Of a network; names of the streams at the ends of its stages.
    statistics : Statistics
        Of one pass.
    effects : mapping of str to Tensor
        J by stream.
    """
    found: dict[str, Tensor] = {}
    for name in at_ends(sites, ends):
        layer, inputs = sites[name].pointwise, statistics.inputs.get(name)
        if layer is not None and inputs is not None and pointwise_matrix(layer).isfinite().all():
            weighted = activity_weighted(sites[name], inputs.deviations()[0])
            found[f"{name}/directions"] = directions(sites[name], weighted)
    for name in ends[-3:]:
        outputs = statistics.outputs.get(name)
        if outputs is not None and outputs.total.isfinite().all():
            found[f"{name}/eigenvalues"] = correlation_eigenvalues(outputs)
            found[f"{name}/images"] = torch.tensor(statistics.images)
        if name in effects:
            found[f"{name}/cross_talk"] = effects[name]
    return {
        key: value.float().cpu().contiguous()
        for key, value in found.items()
        if value.numel() and value.isfinite().all()
    }


def write(path: Path, arrays: Mapping[str, Tensor], *, classes: list[str]) -> None:
    """Write arrays, with the names of the classes."""
    with atomic(path) as temporary:
        save_file(dict(arrays), temporary, metadata={"classes": json.dumps(classes, ensure_ascii=False)})


def read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Read what `write` wrote: arrays and names of the classes.

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
        raise LowparamError(f"{path} holds no arrays of a profile; delete it and profile the run again") from error
