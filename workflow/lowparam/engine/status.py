"""Print one screen: the runs of each experiment, the disk they take, and what `dvc repro` would do.

It reads what is on disk and does not call Snakemake, so it is quick and works while something runs. `lowparam run -n`
takes longer and knows more: it also looks at tables and figures.
"""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from lowparam import paths, runs
from lowparam.engine import plans
from lowparam.engine.progress import DEPLOY, PROFILE
from lowparam.errors import LowparamError, last_line
from lowparam.files import read_yaml
from lowparam.params import Params, Run, Scale
from lowparam.terminal import console
from lowparam.waiting import duration, waiting

__all__ = ["disk", "pending", "seconds", "show_status"]

STATES = {
    "finished": "green",
    "running": "cyan",
    "untrained": "magenta",
    "diverged": "red",
    "stale": "yellow",
    "missing": "",
}


def show_status(params: Params) -> None:
    """Print one screen: the runs of each experiment, the disk they take, and what ``dvc repro`` would do."""
    with waiting("reading results and asking DVC", len(params.experiments) + 2) as done:
        found = {}
        for name in params.experiments:
            found[name] = runs.states(params, name)
            done()
        sizes = disk()
        done()
        lines = pending(params, found)
    output = console()
    output.print(experiments_table(params, found))
    empty = [
        name for name, states in found.items() if set(states.values()) == {"missing"} and name not in params.replicate
    ]
    if empty:
        output.print(f"without results: {', '.join(empty)}", style="dim")
    output.print()
    output.print(disk_table(sizes))
    output.print()
    for line in lines:
        output.print(line, highlight=False, markup=False, soft_wrap=True)


def experiments_table(params: Params, found: dict[str, dict[Run, str]]) -> Table:
    tuned = {name: tuned_of(params, name) for name in found}
    deployed = {name: deployed_of(params, name) for name in found}
    added = {"tuned": tuned, "exported": deployed}
    added = {title: counts for title, counts in added.items() if any(counts.values())}
    table = Table("experiment", *added, "runs", *STATES, "recorded", box=None, header_style="bold")
    table.columns[0].overflow = table.columns[-1].overflow = "fold"  # a name that is cut is none
    for column in table.columns[1:-1]:
        column.justify = "right"
    for name, states in found.items():
        counts = Counter(states.values())
        if set(counts) == {"missing"} and name not in params.replicate:
            continue
        numbers = [f"[{style}]{counts[word]:,}[/]" if counts[word] and style else "" for word, style in STATES.items()]
        numbers[-1] = f"{counts['missing']:,}" if counts["missing"] else ""
        table.add_row(
            name, *(counts[name] for counts in added.values()), f"{len(states):,}", *numbers, recorded(params, name)
        )
    return table


def tuned_of(params: Params, name: str) -> str:
    """Count the architectures with a probe whose recipe values are chosen, as ``3/12``; empty if nothing is tuned."""
    if params.experiment(name).tune is None:
        return ""
    choices = [runs.choice(params, scale) for scale in params.families(name)]
    return f"{sum(choice is not None for choice in choices)}/{len(choices)}"


def deployed_of(params: Params, name: str) -> str:
    """Count the runs that were exported and measured, as ``3/12``; empty if the experiment does not ask for it."""
    if not params.experiment(name).deploy:
        return ""
    wanted = [run.deployment for run in params.runs(name)]
    return f"{sum(file.exists() for file in wanted)}/{len(wanted)}"


def recorded(params: Params, name: str) -> str:
    """Return the file in which DVC records the experiment."""
    file = Path("dvc.lock") if name in params.replicate else paths.experiment(name) / "dvc.lock"
    return str(file) if file.exists() and str(paths.runs(name)) in file.read_text(encoding="utf-8") else "no"


def disk() -> dict[str, int]:
    """Return the bytes of prepared data, checkpoints, everything else in results, DVC's cache, and unfinished work."""
    cache_folder = subprocess.run(["dvc", "cache", "dir"], capture_output=True, text=True).stdout.strip()
    checkpoints = sum(size(path, ".safetensors") for path in paths.RESULTS.glob("*/runs") if path.is_dir())
    return {
        f"prepared data ({paths.DATA})": size(paths.DATA),
        "checkpoints (results/*/runs)": checkpoints,
        "other results": size(paths.RESULTS) - size(paths.DATA) - checkpoints,
        "DVC's cache (dvc gc frees what no commit needs)": size(Path(cache_folder)) if cache_folder else 0,
        f"unfinished work ({paths.WORK})": size(paths.WORK),
    }


def size(folder: Path, suffix: str = "") -> int:
    """Return the bytes of the files in a folder, of those with a suffix."""
    return sum(path.lstat().st_size for path in folder.rglob(f"*{suffix}") if not path.is_dir())


def disk_table(sizes: dict[str, int]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for what, count in sizes.items():
        table.add_row(f"{count / 2**20:,.1f} MB", what)
    return table


def pending(params: Params, found: dict[str, dict[Run, str]]) -> list[str]:
    """Say what `dvc repro` would do, stage by stage with the reason, and about how long it would take."""
    asked = subprocess.run(["dvc", "status", "--json", "dvc.yaml"], capture_output=True, text=True)
    if asked.returncode:
        return [f"dvc status failed: {last_line(asked.stderr)}"]
    stages = json.loads(asked.stdout)
    todo = [run for name in params.replicate for run, word in found[name].items() if word in ("stale", "missing")]
    trials = {scale: count for name in params.replicate for scale, count in trials_left(params, name).items()}
    if not stages and not todo and not trials:
        return ["dvc repro has nothing to do"]
    lines = ["dvc repro would look at:" if stages else "dvc repro has nothing to do, but runs are missing or stale:"]
    lines += [f"  {name}: {reasons(changes)}" for name, changes in stages.items()]
    what = [f"tune {len(trials)} networks in at least {sum(trials.values())} trials"] if trials else []
    what += [f"train {len(todo)} runs"] if todo else []
    if what:
        lines.append(f"and {' and '.join(what)}: {about(params, todo, trials)}")
    return lines


def reasons(changes: list[Any]) -> str:
    """Say in one line what DVC found changed for a stage."""
    words = []
    for change in changes:
        if isinstance(change, str):  # changed command
            words.append(change)
        else:
            words += [f"{kind} {', '.join(map(named, what.items()))}" for kind, what in change.items()]
    return "; ".join(words)


def named(changed: tuple[str, Any]) -> str:
    """Name a file that changed, and which of its settings, if DVC tells."""
    file, how = changed
    return f"{file} ({', '.join(how)})" if isinstance(how, dict) else file


def trials_left(params: Params, name: str) -> dict[Scale, int]:
    """Count the trials to come of each architecture with a probe whose recipe values are not chosen yet.

    Trials that extend a list, or check a choice, are known only when the listed values have been tried.
    """
    tune = params.experiment(name).tune
    if tune is None:
        return {}
    return {
        scale: tune.trials - runs.finished_trials(params, scale)
        for scale in params.families(name)
        if runs.choice(params, scale) is None
    }


def about(params: Params, todo: list[Run], trials: Mapping[Scale, int]) -> str:
    """Say how long the training of runs, and of trials of tuning, will take, as far as it can be predicted."""
    count = cores()
    try:
        work = seconds(params, todo) * (1 + PROFILE) + seconds_of_trials(params, trials)
        work += DEPLOY * sum(params.experiment(run.scale.experiment).deploy for run in todo)
        return f"about {duration(work / count)} on {count} cores, profiles included"
    except LowparamError as error:
        return f"{error} says how long"


def cores() -> int:
    """Return the number of cores that Snakemake starts with.

    Raises
    ------
    LowparamError
        If profiles/default does not say.
    """
    path = Path("profiles/default/config.yaml")
    given = (read_yaml(path, missing="run this in the folder of the repository") or {}).get("cores")
    if given == "all":
        return len(os.sched_getaffinity(0))
    if not re.fullmatch(r"[1-9]\d*", str(given)):
        raise LowparamError(f"{path}: cores: write a number or all, not {given!r}")
    return int(given)


def seconds(params: Params, todo: list[Run]) -> float:
    """Predict the seconds of one core that runs will train.

    Raises
    ------
    LowparamError
        If the data are not prepared, from which the number of images is known.
    """
    jobs = Counter((run.scale.experiment, run.scale.name) for run in todo)
    known = predicted(params, jobs)
    return sum(known[job] * count / len(params.experiment(job[0]).seeds) for job, count in jobs.items())


def seconds_of_trials(params: Params, trials: Mapping[Scale, int]) -> float:
    """Predict the seconds of one core that trials of tuning will train; errors are those of `seconds`."""
    jobs = {(scale.experiment, scale.tuning_job): count for scale, count in trials.items()}
    known = predicted(params, jobs)
    listed = {name: tune.trials for name, chosen in params.experiments.items() if (tune := chosen.tune)}
    return sum(known[job] * count / listed[job[0]] for job, count in jobs.items())


def predicted(params: Params, jobs: Collection[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Return the seconds of jobs of the plans, by experiment and name; a plan that is missing is made."""
    found = {}
    for experiment in dict.fromkeys(experiment for experiment, _ in jobs):
        wanted = {name for of, name in jobs if of == experiment}
        if not wanted <= plans.kept(params, experiment).keys():
            subprocess.run(["lowparam", "plan", experiment], capture_output=True)
        known = plans.kept(params, experiment)
        if not wanted <= known.keys():
            raise LowparamError(f"lowparam plan {experiment}")
        found |= {(experiment, name): known[name]["seconds"] for name in wanted}
    return found
