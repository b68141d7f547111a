"""Check that every scale of an experiment can be built, before anything runs.

Answers are kept in `.lowparam/scales`, one file per experiment, with the digest of the code that gave them. So the
check at every start of the workflow takes no time and does not import torch; for that reason this file is not in
`models`, either.
"""

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from lowparam import architectures, paths, provenance
from lowparam.errors import LowparamError
from lowparam.files import read_json, read_quietly, write_json
from lowparam.params import Data, Params, Run, Scale, run_spec
from lowparam.provenance import PACKAGE
from lowparam.waiting import waiting

__all__ = ["check_scales", "is_checked"]


def is_checked(params: Params, experiment: str) -> bool:
    """Whether `check_scales` has accepted an experiment as it is now; reads only, and asks nothing."""
    known = read_quietly(paths.scale_checks(experiment))
    try:
        shape = _known_shape(params, params.experiment(experiment).data, known)
        return shape is not None and all(
            json.dumps(question) in known
            for scale in _scales(params, experiment)
            for question in _questions(params, scale, shape)
        )
    except LowparamError:  # an architecture that does not exist: `check_scales` words it
        return False


def check_scales(params: Params, experiments: Iterable[str]) -> None:
    """Build every scale of some experiments without storage.

    Raises
    ------
    LowparamError
        For the first scale that cannot be built: an unknown architecture or probe, or a budget out of reach. Or if
        there is no such experiment.
    """
    stored = {file.stem: read_quietly(file) for file in sorted(paths.scale_checks("").parent.glob("*.json"))}
    answers = {question: answer for known in stored.values() for question, answer in known.items()}
    shapes: dict[str, dict[str, dict[str, int]]] = {}
    asked: dict[str, dict[str, list]] = {}
    for name in experiments:
        shape, shapes[name] = _shape(params, params.experiment(name).data, answers)
        answers |= shapes[name]
        with _named(name):
            questions = [each for scale in _scales(params, name) for each in _questions(params, scale, shape)]
        asked[name] = {json.dumps(question): question for question in questions}
    new = {key for questions in asked.values() for key in questions if key not in answers}
    with waiting("checking that networks can be built", len(new)) as done:
        for name, questions in asked.items():
            for key in [key for key in questions if key not in answers]:
                with _named(name):
                    _ask(*questions[key])
                answers[key] = True
                done()
            kept = {**shapes[name], **dict.fromkeys(questions, True)}
            if kept != stored.get(name):
                write_json(paths.scale_checks(name), kept)


@contextmanager
def _named(experiment: str) -> Generator[None]:
    """Let an error name the experiment."""
    try:
        yield
    except LowparamError as error:
        raise LowparamError(f"params.yaml: experiments.{experiment}: {error}") from error


def _scales(params: Params, name: str) -> list[Scale]:
    """Return the scales that an experiment trains, those of tuning among them: its budget may be none of the grid."""
    tuned = params.families(name) if params.experiment(name).tune else []
    return [*params.scales(name), *tuned]


def _questions(params: Params, scale: Scale, shape: dict[str, int]) -> list[list]:
    """Return what must be possible for a scale, so that scales that ask the same are asked once.

    No probe has parameters (`probes`), so the size of a network is the same with all of them. A network of
    timm takes none but its own.
    """
    spec = run_spec(params, Run(scale, params.experiment(scale.experiment).seeds[0]))
    network = {key: spec[key] for key in spec if key not in ("experiment", "seed", "data", "recipe")}
    code = provenance.digest("models/build.py:network_for", *provenance.of_network(scale.architecture, scale.probe))
    if architectures.is_timm(scale.architecture):
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


def _shape(params: Params, name: str, answers: dict) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return the number of classes, channels and pixels of a data set, and the answers to keep, by question.

    The source is asked if the data set is not prepared. What a source says of a folder is not kept, because the folder
    may change.
    """
    data = params.data[name]
    shape = _known_shape(params, name, answers)
    if shape is None:
        from lowparam.data.prepare import shape as ask_source

        shape = ask_source(name, data)
    is_kept = _stays_right(data) and not _prepared_shape(name, data)
    return shape, {_shape_question(data): shape} if is_kept else {}


def _known_shape(params: Params, name: str, answers: dict) -> dict[str, int] | None:
    """Return the shape of a data set as far as it is known without reading images."""
    data = params.data[name]
    return _prepared_shape(name, data) or (answers.get(_shape_question(data)) if _stays_right(data) else None)


def _prepared_shape(name: str, data: Data) -> dict[str, int] | None:
    stored = read_json(paths.manifest(name)) if paths.manifest(name).exists() else {}
    if stored.get("settings") != data.spec():
        return None
    channels, size, _ = stored["shape"]
    return {"classes": len(stored["classes"]), "in_channels": channels, "size": size}


def _stays_right(data: Data) -> bool:
    """Whether the answer of a source stays right: not that of a folder."""
    return (PACKAGE / f"data/sources/{data.source}.py").exists() and data.path is None


def _shape_question(data: Data) -> str:
    code = provenance.digest(provenance.ENTRIES["prepare"], *provenance.of_source(data.source))
    return json.dumps(["shape", data.spec(), code])
