"""Write what the code of each phase means, for DVC.

A stage of dvc.yaml cannot depend on source files: a comment would name it as changed. It depends on its entry of
``results/code.json``, which the stage ``code`` writes from the sources and which only changes if their meaning does.
"""

import hashlib
import io
import tokenize
from pathlib import Path
from typing import Any

from lowparam import paths, prepared_data, runs
from lowparam.files import write_json
from lowparam.params import Params

__all__ = ["RULES", "fingerprint", "write_fingerprint"]

RULES = ["Snakefile", "workflow/rules"]
"""What decides which jobs there are and what they run. Profiles decide only where and how many at a time."""

PHASES = {
    "data.smk": ("data", "train"),  # the baseline is recorded with the trainings
    "tune.smk": ("tune",),
    "train.smk": ("train",),
    "profile.smk": ("profile",),
    "deploy.smk": ("deploy",),
    "report.smk": ("report",),
    "studies.smk": (),
}
"""The phases that each file of rules is about; a file that is not listed here is about all."""


def fingerprint(params: Params) -> dict[str, Any]:
    """Return a hash for each phase: ``data`` by data set; tune, train, profile, deploy and report by experiment."""
    found: dict[str, dict[str, str]] = {"data": {}, "tune": {}, "train": {}, "profile": {}, "deploy": {}, "report": {}}
    rules = {phase: _hash_of_rules(phase) for phase in found}
    for name in params.data:
        found["data"][name] = _hash(rules["data"], prepared_data.rule_identity(params, name)["code_sha256"])
    for name in params.experiments:
        scales = params.scales(name)
        if params.experiment(name).tune:
            tuning = sorted({runs.code_of_tuning(params, scale) for scale in scales})
            found["tune"][name] = _hash(rules["tune"], runs.torch_version(), tuning)
        training = sorted({runs.code_of_training(params, scale) for scale in scales})
        profiles = sorted({runs.code_of_profile(params, scale) for scale in scales})
        if params.experiment(name).deploy:
            deployed = sorted({runs.deploy_identity(params, scale)["code_sha256"] for scale in scales})
            found["deploy"][name] = _hash(rules["deploy"], runs.torch_version(), deployed)
        reports = [runs.collect_identity(params, name)["code_sha256"], runs.report_identity(params, name)]
        found["train"][name] = _hash(
            rules["train"], runs.torch_version(), runs.baseline_identity(params, name), training
        )
        found["profile"][name] = _hash(rules["profile"], runs.torch_version(), profiles)
        found["report"][name] = _hash(rules["report"], reports, runs.bilinear_identity(params, name))
    return found


def write_fingerprint(params: Params) -> None:
    """Write ``results/code.json``."""
    write_json(paths.code(), fingerprint(params))


def _hash(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _hash_of_rules(phase: str) -> str:
    """Hash the rules that a phase depends on: the Snakefile and what it includes, but for rules of other phases."""
    found = hashlib.sha256()
    for place in map(Path, RULES):
        files = sorted(place.glob("*.smk")) if place.is_dir() else [place]
        for file in files:
            if phase in PHASES.get(file.name, (phase,)):
                found.update(f"{file}\n{meaning_of_rules(file.read_text(encoding='utf-8'))}\n".encode())
    return found.hexdigest()


def meaning_of_rules(text: str) -> str:
    """Return a Snakefile without comments, blank lines, docstrings of functions, and the width of its indents.

    The language of Snakefiles has the tokens of Python, but not its grammar, so `ast` cannot read it.
    """
    lines: list[list[str]] = []
    line, indent = [], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            # A text alone after a line that begins with def; after one like shell: it is a command.
            is_docstring = bool(lines) and lines[-1][0] == "def" and indent == ["INDENT"] and _is_one_text(line)
            if not is_docstring:
                lines.append([*line, *indent])
                indent = []
            line = []
        elif token.type in (tokenize.INDENT, tokenize.DEDENT):
            indent.append(tokenize.tok_name[token.type])
        elif token.type not in (tokenize.COMMENT, tokenize.NL):
            line.append(token.string)
    return "\n".join(map(" ".join, lines))


def _is_one_text(line: list[str]) -> bool:
    return len(line) == 1 and line[0].startswith(("'", '"'))
