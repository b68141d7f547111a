"""Write the files by which DVC records results.

Plain ``dvc repro`` runs what dvc.yaml lists and nothing else: the experiments under ``replicate``. So nobody starts
hours of training without naming them: ``dvc repro results/fashion_mnist/dvc.yaml``. ``dvc pull`` and ``dvc status`` see
all files. Experiments share prepared data, whose stages are in dvc.yaml if one of its experiments reads them, and
otherwise in ``results/data/dvc.yaml``.

What was recorded stays recorded. DVC deletes the outputs of a stage that is in one commit and not in the next, so an
experiment that leaves ``replicate`` gets a file of its own, and stages that params.yaml no longer describes are kept,
frozen: they have outputs and no way to make them. What DVC knows of a stage, in dvc.lock, moves along with it.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lowparam import catalogue, paths
from lowparam.engine.fingerprint import RULES
from lowparam.errors import LowparamError
from lowparam.files import format_yaml, parse_yaml, read_yaml, write_text
from lowparam.params import RECIPES, Params, recipes_in_file
from lowparam.provenance import PACKAGE

__all__ = ["check", "forget", "stages", "write"]

STAGES = ("data", "tune", "train", "profile", "deploy", "report")
"""The stages of a data set and of an experiment, in their order."""

COMMAND = re.compile(rf"lowparam record ({'|'.join(STAGES)}) (\S+)$")
"""How the command of a stage ends: the stage, and the experiment or data set that it is of."""

Stages = dict[tuple[str, str], dict[str, Any]]
"""By stage and name."""

HEADER = """\
# Written by `make record`; docs/dvc.md explains it. Snakemake decides which files of a stage are out of date, DVC
# records what came out. `persist` keeps DVC from deleting what Snakemake would keep. Stages depend on what code means
# (results/code.json), not on its text. A record contains how the files of a stage were made, and is an output of the
# same stage, so that the two cannot drift apart.
"""


def stages(params: Params, name: str, suffix: str = "") -> dict[str, Any]:
    """Return the stages tune (if it tunes), train, profile, deploy (if it does) and report of an experiment."""
    chosen, folder = params.experiment(name), paths.experiment(name)
    settings: list[Any] = [f"data.{chosen.data}", "defaults", f"experiments.{name}"]
    apart = chosen.recipe in recipes_in_file()
    settings.append({RECIPES: [chosen.recipe]} if apart else f"recipes.{chosen.recipe}")
    found: dict[str, Any] = {}

    def add(stage: str, target: str, deps: list[Path], outs: list[dict], **more: Any) -> None:
        found[f"{stage}{suffix}"] = {
            "cmd": f"lowparam run {target} && lowparam record {stage} {name}",
            "deps": sorted(map(str, [paths.data(chosen.data), *deps])),
            "params": [*settings, {str(paths.code()): [f"{stage}.{name}"]}],
            "outs": [in_cache(paths.benchmarks(name) / stage), in_cache(paths.record(name, stage)), *outs],
            **more,
        }

    runs, baseline, profiles = paths.runs(name), paths.baseline(name), paths.profiles(name)
    tuning = [paths.tuning(name)] if chosen.tune else []
    deployment = [paths.deployment(name)] if chosen.deploy else []
    option = f"--config experiment={name}"
    if tuning:
        add("tune", f"choices {option}", [], list(map(in_git, tuning)))
    add("train", f"runs {option}", tuning, [in_cache(runs), in_git(baseline)])
    add("profile", f"profiles {option}", [runs], [in_cache(profiles)])
    if deployment:
        add("deploy", f"deployments {option}", [runs], list(map(in_cache, deployment)))
    claims = [in_repository(file) for file in catalogue.claim_files()]
    cached, summaries = {"figures", "report.html"}, catalogue.report_outputs(chosen)
    add(
        "report",
        name,
        [*tuning, runs, baseline, profiles, *deployment, Path("workflow/report"), *claims],
        [(in_cache if file in cached else in_git)(folder / file) for file in summaries if file != "metrics.json"],
        metrics=[in_git(paths.metrics(name))],
    )
    return found


def data_stage(name: str) -> dict[str, Any]:
    """Return the stage that prepares a data set."""
    return {
        "cmd": f"lowparam run {paths.manifest(name)} && lowparam record data {name}",
        "params": [f"data.{name}", {str(paths.code()): [f"data.{name}"]}],
        "outs": [in_cache(paths.data(name))],
    }


def code_stage() -> dict[str, Any]:
    """Return the stage that writes what the code of each phase means; the others depend on its entries."""
    files = ["params.yaml", *([RECIPES] if recipes_in_file() else [])]
    return {
        "cmd": "lowparam fingerprint",
        "deps": sorted([*RULES, "workflow/lowparam", "requirements.lock"]),
        "params": [{file: None} for file in files],  # all values in them, not their text
        "outs": [in_git(paths.code())],
    }


def in_repository(path: Path) -> Path:
    """Return a path relative to the folder with dvc.yaml."""
    return path.relative_to(PACKAGE.parents[1])


def in_cache(path: Path) -> dict[str, Any]:
    """Describe an output that DVC keeps."""
    return {str(path): {"persist": True}}


def in_git(path: Path) -> dict[str, Any]:
    """Describe an output that git keeps."""
    return {str(path): {"cache": False, "persist": True}}


def write(params: Params, *names: str) -> None:
    """Write dvc.yaml, and the files of all other experiments that are recorded, with those of `names`.

    Raises
    ------
    LowparamError
        If params.yaml has no experiment of such a name.
    """
    wanted = contents_of_files(params, *names)
    known = _found("dvc.lock")
    for path, content in reversed(wanted.items()):  # dvc.yaml last: until then, it says what else is recorded
        _write_lock(Path(path).with_name("dvc.lock"), content, known)
        write_text(path, content)
        print(f"wrote {path}")
    for path in paths.RESULTS.glob("*/dvc.yaml"):
        # Of what dvc.yaml has now, and DVC refuses what two stages make; or of what never was recorded.
        if str(path) not in wanted and all(_of(stage) for stage in _stages(path).values()):
            path.unlink()
            path.with_name("dvc.lock").unlink(missing_ok=True)


def forget(params: Params, deleted: Iterable[Path]) -> None:
    """Record no longer what params.yaml no longer describes and of which files were deleted."""
    deleted, forgot = [*deleted], False
    for lock in _files("dvc.lock"):
        stages = _stages(lock)
        kept = {}
        for stage, entry in stages.items():
            key, outs = _of(entry), [out["path"] for out in entry.get("outs", [])]
            if key is None or _is_described(params, *key) or not any(_holds(outs, file) for file in deleted):
                kept[stage] = entry
        if kept != stages:
            write_text(lock, _locked(kept))
            forgot = True
    if forgot:
        write(params)


def _holds(outs: Iterable[str], file: Path) -> bool:
    """Whether a file is one of the outputs, or in one."""
    return any(file.is_relative_to(out) for out in outs)


def _files(name: str) -> list[Path]:
    """Return dvc.yaml, or dvc.lock, here and in the folders of results."""
    return [file for file in [*sorted(paths.RESULTS.glob(f"*/{name}")), Path(name)] if file.exists()]


def _of(stage: dict[str, Any]) -> tuple[str, str] | None:
    """Return which stage of which experiment or data set a stage is; None if it is none of ours."""
    found = COMMAND.search(str(stage.get("cmd")))
    return (found[1], found[2]) if found else None


def _found(name: str) -> Stages:
    """Return the stages in all files of this name, dvc.yaml or dvc.lock."""
    return {key: stage for file in _files(name) for stage in _stages(file).values() if (key := _of(stage))}


def _stages(file: Path) -> dict[str, dict[str, Any]]:
    """Return the stages in dvc.yaml or dvc.lock."""
    return (read_yaml(file, missing="") or {}).get("stages") or {}


def _locked(stages: dict[str, dict[str, Any]]) -> str:
    """Write the content of a dvc.lock."""
    return format_yaml({"schema": "2.0", "stages": stages})


def _write_lock(lock: Path, content: str, known: Stages) -> None:
    """Give the stages of a file what DVC knows of them from another file."""
    there = _stages(lock) if lock.exists() else {}
    moved = {}
    for name, stage in parse_yaml(content)["stages"].items():
        key = _of(stage)
        entry = known.get(key) if key else there.get(name)
        if entry:
            moved[name] = entry
    if moved and moved != there:
        write_text(lock, _locked(moved))


def check(params: Params) -> None:
    """Compare the files with the current settings.

    Raises
    ------
    LowparamError
        If one is not what `write` would write: DVC would then look at other settings than Snakemake does.
    """
    for path, content in contents_of_files(params).items():
        if not Path(path).exists() or Path(path).read_text(encoding="utf-8") != content:
            raise LowparamError(
                f"{path} is not that of the present params.yaml; type make record, which writes it anew"
            )


def contents_of_files(params: Params, *names: str) -> dict[str, str]:
    """Return the text of dvc.yaml, and of the files of all else that is recorded, with those of `names`."""
    known, left = _found("dvc.lock"), _left(params)
    recorded = {path.parent.name for path in paths.RESULTS.glob("*/dvc.yaml")} | {*names}
    recorded |= {name for stage, name in known if stage != "data"}  # a data set may have the name of an experiment
    others = sorted((recorded & {*params.experiments} | {*names}) - {*params.replicate})
    read_here = sorted({params.experiment(name).data for name in params.replicate})
    read_there = {params.experiment(name).data for name in others}
    read_there |= {name for stage, name in known if stage == "data"} & {*params.data}

    described: dict[str, Any] = {"code": code_stage()}
    for data in read_here:
        described["data" if len(read_here) == 1 else f"data_{data}"] = data_stage(data)
    for name in params.replicate:
        suffix = "" if len(params.replicate) == 1 else f"_{name}"
        described |= {f"{stage}{suffix}": entry for stage, entry in left.pop(name, {}).items()}
        described |= stages(params, name, suffix)
    plots = [plot(name, str(paths.runs_table(name))) for name in params.replicate]
    files = {"dvc.yaml": text("dvc.yaml", described, plots)}
    apart = {data: data_stage(data) for data in sorted(read_there - {*read_here})} | left.pop("data", {})
    if apart:
        path = str(paths.DATA / "dvc.yaml")
        files[path] = text(path, apart)
    for name in others:
        path = str(paths.experiment(name) / "dvc.yaml")
        files[path] = text(path, left.pop(name, {}) | stages(params, name), [plot(name, "runs.csv")])
    for name, entries in left.items():
        path = str(paths.experiment(name) / "dvc.yaml")
        files[path] = text(path, entries)
    return files


def _left(params: Params) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the stages that are recorded and that params.yaml no longer describes, frozen, by experiment.

    Those of data sets are those of the name ``data``, by the name of the data set.
    """
    known, found = _found("dvc.lock"), _found("dvc.yaml")
    left: dict[str, dict[str, dict[str, Any]]] = {}
    for stage, name in sorted(found, key=lambda key: (key[1], STAGES.index(key[0]))):
        if (stage, name) in known and not _is_described(params, stage, name):
            frozen = {key: value for key, value in found[stage, name].items() if key in ("cmd", "outs", "metrics")}
            of, within = ("data", name) if stage == "data" else (name, stage)
            left.setdefault(of, {})[within] = {"frozen": True, **frozen}
    return left


def _is_described(params: Params, stage: str, name: str) -> bool:
    """Whether params.yaml describes a stage of an experiment or a data set."""
    if stage == "data":
        return name in params.data
    if name not in params.experiments:
        return False
    chosen = params.experiment(name)
    return chosen.tune is not None if stage == "tune" else chosen.deploy if stage == "deploy" else True


def plot(name: str, table: str) -> dict[str, Any]:
    """Describe what `dvc plots` draws, for one revision or for several next to each other."""
    return {name: {"template": "scatter", "x": "parameters_total", "y": {table: "test_accuracy"}}}


def text(path: str, described: dict[str, Any], plots: list[dict[str, Any]] | None = None) -> str:
    """Write a file of stages as text, with paths relative to the root."""
    root = "/".join([".."] * path.count("/"))
    if root:
        described = {name: {"wdir": root, **stage} for name, stage in described.items()}
    content = {"stages": described, **({"plots": plots} if plots else {})}
    return HEADER + format_yaml(content)
