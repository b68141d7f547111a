"""Read and check params.yaml and recipes.yaml; a mistake in them ends in one line."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lowparam.errors import LowparamError
from lowparam.files import as_written, read_text, read_yaml
from lowparam.params.messages import describe, first_finding
from lowparam.params.schema import Params, Section, merge

__all__ = ["RECIPES", "load", "recipes_in_file", "schema"]

PARAMS = "params.yaml"
RECIPES = "recipes.yaml"
"""Next to params.yaml: recipes by name. params.yaml may have more under ``recipes``."""


def load(path: Path | str = PARAMS) -> Params:
    """Read and check params.yaml, and the recipes.yaml next to it if there is one.

    Raises
    ------
    LowparamError
        In one line: the file, the key, what is wrong with it, and what would be right.
    """
    path = Path(path)
    values = read_yaml(path, missing="run this in the folder that has it")
    if not isinstance(values, dict):
        state = "is empty" if values is None else "has no sections"
        raise LowparamError(f"{path} {state}; it needs data, experiments and replicate (docs/run.md)")
    file, recipes = path.with_name(RECIPES), recipes_in_file(path)
    if recipes and isinstance(values.get("recipes") or {}, dict):
        own = values.get("recipes") or {}
        if twice := sorted({*own} & {*recipes}):
            raise LowparamError(f"{path}: recipes.{twice[0]} is also in {file}; rename one of them")
        values = {**values, "recipes": {**recipes, **own}}
    try:
        return Params.model_validate(_with_defaults(values))
    except ValidationError as error:
        finding = first_finding(error)
        of_name = finding["loc"][2:] == ("[key]",)
        name = finding["input"] if of_name else next(iter(finding["loc"][1:]), None)
        if finding["loc"][:1] == ("recipes",) and len(finding["loc"]) > 1 and name in recipes:
            path, finding = file, {**finding, "loc": finding["loc"][1:]}
        written = partial(as_written, read_text(path, missing=""))
        raise LowparamError(f"{path}: {describe(finding, Section.__subclasses__(), written)}") from error


def recipes_in_file(params: Path | str = PARAMS) -> dict[str, Any]:
    """Return the recipes of the recipes.yaml next to params.yaml, unchecked; none if there is no such file.

    Raises
    ------
    LowparamError
        If it is not a mapping of names to recipes.
    """
    file = Path(params).with_name(RECIPES)
    if not file.exists():
        return {}
    recipes = read_yaml(file, missing="")
    if not isinstance(recipes, dict):
        raise LowparamError(
            f"{file}: write recipes by name, such as digits: {{ epochs: 20, batch_size: 64, lr: 0.02 }}"
        )
    return recipes


def schema(file: str = PARAMS) -> str:
    """Return the JSON schema of params.yaml or recipes.yaml as text.

    Keys that `defaults` may give are optional in an experiment, and recipes may be in the other file; `load` checks
    both together.

    Raises
    ------
    LowparamError
        If there is no file of that name.
    """
    if file not in (PARAMS, RECIPES):
        raise LowparamError(f"no schema of {file!r}; known are {PARAMS} and {RECIPES}")
    tree = Params.model_json_schema()
    tree["title"] = f"{file} of lowparam"
    if file == RECIPES:
        recipe = {key: tree["$defs"][key] for key in ("Augment", "Dose", "Recipe")}
        tree = {
            "title": tree["title"],
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/Recipe"},
            "$defs": recipe,
        }
        return json.dumps(tree, indent=2, ensure_ascii=False)
    tree["required"].remove("recipes")
    tree["$defs"]["Experiment"]["required"] = ["data", "recipe"]
    optional = {key: value for key, value in tree["$defs"]["Experiment"].items() if key != "required"}
    tree["properties"]["defaults"] = {**optional, "description": tree["properties"]["defaults"]["description"]}
    return json.dumps(tree, indent=2, ensure_ascii=False)


def _with_defaults(values: Any) -> Any:
    """Merge `defaults` into every experiment; leave to the schema what is no mapping."""
    if not isinstance(values, dict) or not isinstance(values.get("experiments"), dict):
        return values
    defaults = values.get("defaults") or {}
    experiments = {
        name: merge(defaults, given) if isinstance(given, dict) else given
        for name, given in values["experiments"].items()
    }
    return values | {"experiments": experiments}
