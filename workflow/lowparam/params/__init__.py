"""params.yaml: what is run, as typed objects, and the grid of runs that follows from it.

This package imports neither torch nor pandas, because Snakemake reads params.yaml at every start.

- `schema`: the sections and their keys
- `grid`: scales and runs by name
- `load`: reading, merging of defaults, one-line messages, the JSON schema for editors
- `spec`: what determines a run, with and without defaults
"""

from lowparam.params.grid import Run, Scale, format_budget, format_size, parse_budget
from lowparam.params.load import RECIPES, load, recipes_in_file, schema
from lowparam.params.schema import (
    Augment,
    Data,
    Dose,
    Experiment,
    Factors,
    Params,
    Profile,
    Recipe,
    Section,
    Split,
    Tune,
    are_numbers,
)
from lowparam.params.spec import data_without_defaults, profile_spec, run_spec, without_defaults

__all__ = [
    "RECIPES",
    "Augment",
    "Data",
    "Dose",
    "Experiment",
    "Factors",
    "Params",
    "Profile",
    "Recipe",
    "Run",
    "Scale",
    "Section",
    "Split",
    "Tune",
    "are_numbers",
    "data_without_defaults",
    "format_budget",
    "format_size",
    "load",
    "parse_budget",
    "profile_spec",
    "recipes_in_file",
    "run_spec",
    "schema",
    "without_defaults",
]
