"""Write what the code of each phase means, for DVC.

A stage of dvc.yaml cannot depend on source files: a comment would name it as changed. It depends on its entry of
``results/code.json``, which the stage ``code`` writes from the sources and which only changes if their meaning does.
"""

import hashlib
from pathlib import Path
from typing import Any

from lowparam import paths, runs
from lowparam.files import write_json
from lowparam.params import Params

__all__ = ["RULES", "fingerprint", "write_fingerprint"]

RULES = ["Snakefile", "profiles/default", "workflow/rules"]
"""What decides which jobs there are and what they run; counted as text."""


def fingerprint(params: Params) -> dict[str, Any]:
    """Return a hash for each phase: ``data`` by data set, ``train``, ``profile`` and ``report`` by experiment."""
    rules = _hash_of_rules()
    found: dict[str, dict[str, str]] = {"data": {}, "train": {}, "profile": {}, "report": {}}
    for name in params.data:
        found["data"][name] = _hash(rules, runs.data_identity(params, name)["code_sha256"])
    for name in params.experiments:
        scales = params.scales(name)
        training = sorted({runs.code_of_training(params, scale) for scale in scales})
        profiles = sorted({runs.code_of_profile(params, scale) for scale in scales})
        reports = [runs.collect_identity(params, name)["code_sha256"], runs.report_identity(params, name)]
        found["train"][name] = _hash(rules, runs.torch_version(), runs.baseline_identity(), training)
        found["profile"][name] = _hash(rules, runs.torch_version(), profiles)
        found["report"][name] = _hash(rules, reports, runs.bilinear_identity(params, name))
    return found


def write_fingerprint(params: Params) -> None:
    """Write ``results/code.json``."""
    write_json(paths.code(), fingerprint(params))


def _hash(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _hash_of_rules() -> str:
    """Hash the Snakefile and what it includes, as text."""
    found = hashlib.sha256()
    for place in map(Path, RULES):
        files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        for file in files:
            found.update(f"{file}\n".encode() + file.read_bytes())
    return found.hexdigest()
