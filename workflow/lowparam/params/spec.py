"""The specification of a run and of a profile: all values that determine the result, as plain values.

There are two forms. The full one has every value and is what a run is built from and stores in its metrics.json.
The one without defaults leaves out what equals its default: it identifies a run, so that a new key with a default
changes no recorded run.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lowparam.params.grid import Run
from lowparam.params.schema import Data, Experiment, Params, Profile, Recipe, Split

__all__ = ["data_without_defaults", "profile_spec", "run_spec", "without_defaults"]

SKELETON = ("counting", "depth", "divisor", "minimum_width")  # a published network has no use for these


def run_spec(
    params: Params, run: Run, *, defaults: bool = True, choice: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all that determines a run; with `defaults=False`, without the values that equal their default.

    `choice` has the recipe values that tuning chose for the run's scale (`lowparam.runs.choice`). The names of the
    experiment, of the data set and of the recipe are not in it, because they determine nothing.
    """
    scale, experiment = run.scale, params.experiment(run.scale.experiment)
    spec = {
        "mode": experiment.mode,
        "architecture": scale.architecture,
        "probe": scale.probe,
        "budget": scale.budget,
        **({key: getattr(experiment, key) for key in SKELETON} if experiment.mode == "controlled" else {}),
        "seed": run.seed,
        "data": params.data[experiment.data].spec(),
        "recipe": params.recipe(scale, choice).model_dump(),
    }
    return spec if defaults else without_defaults(spec)


def profile_spec(params: Params, run: Run, *, defaults: bool = True) -> dict[str, Any]:
    """Return all that determines the profile of a run: the run, and how it is measured.

    It is separate from `run_spec`, so that a change of how runs are measured trains nothing.
    """
    profile = params.experiment(run.scale.experiment).profile
    return {
        "run": run_spec(params, run, defaults=defaults),
        "profile": profile.model_dump() if defaults else _changed(profile.model_dump(), Profile),
    }


def without_defaults(spec: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a run's specification every value that equals its present default.

    Parameters
    ----------
    spec : dict
        As `run_spec` returns it, or as it was read from a metrics.json, where keys may be missing that are newer than
        the run.

    Returns
    -------
    dict
        Equal for two runs if and only if they are the same run. A default that changed makes a difference to runs that
        were recorded before, a new key with a default makes none.
    """
    spec = _changed(spec, Experiment)
    return spec | {"data": data_without_defaults(spec["data"]), "recipe": _changed(spec["recipe"], Recipe)}


def data_without_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """Do the same with the settings of a data set, as `Data.spec` returns them or a manifest has them."""
    settings = _changed(settings, Data)
    if split := settings.get("split"):
        settings["split"] = _changed(split, Split)
    return settings


def _changed(values: dict[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """Leave out the values that equal the defaults of a section, also in the sections inside it."""
    changed = {}
    for key, value in values.items():
        field = section.model_fields.get(key)
        if field is None or field.is_required():
            changed[key] = value
        elif isinstance(field.default, BaseModel) and isinstance(value, dict):
            if inner := _changed(value, type(field.default)):
                changed[key] = inner
        elif value != field.default:
            changed[key] = value
    return changed
