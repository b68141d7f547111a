"""What `lowparam plan` predicted, kept for the rules, which request time and memory, and for the status.

Kept in `.lowparam/plans`, because predicting takes seconds (it builds every network) and reading must not.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from lowparam import paths
from lowparam.engine.progress import DEPLOY, PROFILE
from lowparam.files import read_quietly, write_json
from lowparam.params import Params, Run, Scale, run_spec
from lowparam.params.grid import TUNING

__all__ = ["keep", "kept", "trials", "with_profiles"]

if TYPE_CHECKING:
    import pandas as pd


def keep(params: Params, experiment: str, table: "pd.DataFrame") -> None:
    """Keep a table of `lowparam.training.plan.plan`."""
    numbers = table.set_index("scale")[["seconds", "memory_mb"]].to_dict("index")
    write_json(
        paths.plans(experiment),
        {name: {"asked": _asked(params, scale), **numbers[name]} for name, scale in _jobs(params, experiment).items()},
    )


def kept(params: Params, experiment: str) -> dict[str, dict[str, Any]]:
    """Return ``seconds`` and ``memory_mb`` of the job of each scale, by the scale's name, and of each tuning.

    Jobs are missing that were never predicted, or that params.yaml describes otherwise by now.
    """
    predicted = read_quietly(paths.plans(experiment))
    return {
        name: predicted[name]
        for name, scale in _jobs(params, experiment).items()
        if predicted.get(name, {}).get("asked") == _asked(params, scale)
    }


def with_profiles(table: "pd.DataFrame", *, deploy: bool = False) -> "pd.DataFrame":
    """Return a plan in which every training takes as long as with its profiles, exports and share of the report."""
    profiled = ~table["scale"].str.endswith(TUNING)
    exports = DEPLOY * table["runs"] * profiled if deploy else 0.0
    return table.assign(seconds=table["seconds"] * (1 + PROFILE * profiled) + exports)


def trials(table: "pd.DataFrame") -> int:
    """Count the trainings of tuning in a plan."""
    return int(table.loc[table["scale"].str.endswith(TUNING), "runs"].sum())


def _jobs(params: Params, experiment: str) -> dict[str, Scale]:
    """Return the scale of each job that trains, by its name in the plan."""
    tuned = params.families(experiment) if params.experiment(experiment).tune else []
    return {
        **{scale.tuning_job: scale for scale in tuned},
        **{scale.name: scale for scale in params.scales(experiment)},
    }


def _asked(params: Params, scale: Scale) -> str:
    experiment = params.experiment(scale.experiment)
    asked = [run_spec(params, Run(scale, experiment.seeds[0])), len(experiment.seeds)]
    if experiment.tune:
        asked.append(experiment.tune.model_dump())
    text = json.dumps(asked, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
