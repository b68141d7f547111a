"""What `lowparam plan` predicted, kept for the rules, which request time and memory, and for the status.

Kept in `.lowparam/plans`, because predicting takes seconds (it builds every network) and reading must not.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from lowparam import paths
from lowparam.errors import LowparamError
from lowparam.files import read_json, write_json
from lowparam.params import Params, Run, Scale, run_spec

__all__ = ["keep", "kept"]

if TYPE_CHECKING:
    import pandas as pd


def keep(params: Params, experiment: str, table: "pd.DataFrame") -> None:
    """Keep a table of `lowparam.training.plan.plan`."""
    numbers = table.set_index("scale")[["seconds", "memory_mb"]].to_dict("index")
    write_json(
        paths.plans(experiment),
        {scale.name: {"asked": _asked(params, scale), **numbers[scale.name]} for scale in params.scales(experiment)},
    )


def kept(params: Params, experiment: str) -> dict[str, dict[str, Any]]:
    """Return ``seconds`` and ``memory_mb`` of the job of each scale, by the scale's name.

    Scales are missing that were never predicted, or that params.yaml describes otherwise by now.
    """
    try:
        predicted = read_json(paths.plans(experiment))
    except LowparamError:
        return {}
    return {
        scale.name: predicted[scale.name]
        for scale in params.scales(experiment)
        if predicted.get(scale.name, {}).get("asked") == _asked(params, scale)
    }


def _asked(params: Params, scale: Scale) -> str:
    seeds = params.experiment(scale.experiment).seeds
    text = json.dumps([run_spec(params, Run(scale, seeds[0])), len(seeds)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
