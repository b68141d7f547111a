"""Whether every scale of an experiment can be built, asked before anything runs.

Answers are kept in `.lowparam/scales`, a file an experiment, with the hash of the code that gave them, so that asking
again at every start of the workflow takes no time and does not import torch. For that reason this file is not in
`models`, either.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from lowparam import provenance
from lowparam.errors import LowparamError
from lowparam.files import write_json
from lowparam.params import Data, Params, Run, Scale, run_spec
from lowparam.provenance import PACKAGE

__all__ = ["check_scales"]

ANSWERS = Path(".lowparam/scales")


def check_scales(params: Params, experiments: Iterable[str]) -> None:
    """Build every scale of some experiments without storage.

    Raises
    ------
    LowparamError
        For the first scale that cannot be built: an unknown architecture or probe, or a budget out of reach. Or if
        there is no such experiment.
    """
    stored = {file.stem: _stored(file) for file in sorted(ANSWERS.glob("*.json"))}
    answers = {question: answer for known in stored.values() for question, answer in known.items()}
    for name in experiments:
        questions = {}
        shape = _shape(params, params.experiment(name).data, answers, questions)
        for scale in params.scales(name):
            try:
                for question in _questions(params, scale, shape):
                    key = json.dumps(question)
                    if key not in answers and key not in questions:
                        _ask(*question)
                    questions[key] = True
            except LowparamError as error:
                raise LowparamError(f"params.yaml: experiments.{name}: {error}") from error
        answers |= questions
        if questions != stored.get(name):
            write_json(ANSWERS / f"{name}.json", questions)


def _stored(file: Path) -> dict:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _questions(params: Params, scale: Scale, shape: dict[str, int]) -> list[list]:
    """What must be possible for a scale, so that scales that ask the same are asked once.

    No probe has parameters (`probes`), so the size of a network is the same with all of them. A network of
    timm takes none but its own.
    """
    spec = run_spec(params, Run(scale, params.experiment(scale.experiment).seeds[0]))
    network = {key: spec[key] for key in spec if key not in ("experiment", "seed", "data", "recipe")}
    code = provenance.digest("models/build.py:network_for", *provenance.of_network(scale.architecture, scale.probe))
    if scale.architecture.startswith("timm:"):
        return [["network", network, shape, code]]
    return [["probe", scale.probe, {}, code], ["network", network | {"probe": "none"}, shape, code]]


def _ask(kind: str, what: str | dict, shape: dict[str, int], code: str) -> None:
    import torch

    from lowparam.models import network_for, probes

    if kind == "probe":
        probes.find_probe(what)
    else:
        with torch.device("meta"):
            network_for(what, **shape)


def _shape(params: Params, name: str, answers: dict, questions: dict) -> dict[str, int]:
    """Number of classes, channels and pixels of a data set, from its manifest if it was prepared, else its source.

    What a source says of a folder is not kept, because the folder may change.
    """
    data = params.data[name]
    manifest = Path("results/data", name, "manifest.json")
    stored = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    if stored.get("settings") == data.spec():
        channels, size, _ = stored["shape"]
        return {"classes": len(stored["classes"]), "in_channels": channels, "size": size}
    if (PACKAGE / f"data/sources/{data.source}.py").exists() and data.path is None:
        key = json.dumps(
            ["shape", data.spec(), provenance.digest(provenance.ENTRIES["prepare"], *provenance.of_source(data.source))]
        )
        questions[key] = answers.get(key) or _ask_source(name, data)
        return questions[key]
    return _ask_source(name, data)


def _ask_source(name: str, data: Data) -> dict[str, int]:
    from lowparam.data.prepare import shape

    return shape(name, data)
