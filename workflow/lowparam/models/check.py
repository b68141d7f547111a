"""Whether every scale of an experiment can be built, asked before anything runs.

Answers are kept in `.lowparam/scales.json` under the hash of the code that gave them, so that asking again at every
start of the workflow takes no time and does not import torch.
"""

import json
from pathlib import Path

from lowparam.errors import LowparamError
from lowparam.files import write_json
from lowparam.params import Params, Run, run_spec
from lowparam.provenance import code_sha256

__all__ = ["check_scales"]

ANSWERS = Path(".lowparam/scales.json")


def check_scales(params: Params) -> None:
    """Build every scale of every experiment without storage.

    Raises
    ------
    LowparamError
        For the first scale that cannot be built: an unknown architecture or activation, or a budget out of reach.
    """
    try:
        answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        answers = []
    questions = []
    for name, experiment in params.experiments.items():
        shape = _shape(params, experiment.data)
        for scale in params.scales(name):
            spec = run_spec(params, Run(scale, experiment.seeds[0]))
            relevant = {key: spec[key] for key in spec if key not in ("experiment", "seed", "data", "recipe")}
            try:
                question = json.dumps([relevant, shape, code_sha256("build", architecture=scale.architecture)])
                if question not in answers:
                    _build(relevant, shape)
            except LowparamError as error:
                raise LowparamError(f"params.yaml: experiments.{name}: {error}") from error
            questions.append(question)
    if questions != answers:
        write_json(ANSWERS, questions)


def _shape(params: Params, name: str) -> dict[str, int]:
    """Number of classes, channels and pixels of a data set, from its manifest if it was prepared, else its source."""
    manifest = Path("results/data", name, "manifest.json")
    stored = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    if stored.get("source") == params.data[name].source:
        channels, size, _ = stored["shape"]
        return {"classes": len(stored["classes"]), "in_channels": channels, "size": size}
    from lowparam.data.prepare import find_source

    return find_source(name, params.data[name]).SHAPE


def _build(spec: dict, shape: dict[str, int]) -> None:
    import torch

    from lowparam.models import network_for

    with torch.device("meta"):
        network_for(spec, **shape)
