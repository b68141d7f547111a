"""Print one screen: the runs of each experiment, the disk they take, and what `dvc repro` would do.

It reads what is on disk and does not call Snakemake, so it is quick and works while something runs. `lowparam run -n`
takes longer and knows more: it also looks at tables and figures.
"""

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from rich.table import Table

from lowparam import runs
from lowparam.engine import plans
from lowparam.errors import LowparamError
from lowparam.files import read_yaml
from lowparam.params import Params, Run
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
PROFILE = 1.1  # a profile takes about a tenth of the training


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
    added = ["tuned"] if any(tuned.values()) else []
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
        table.add_row(name, *[tuned[name]] * len(added), f"{len(states):,}", *numbers, recorded(params, name))
    return table


def tuned_of(params: Params, name: str) -> str:
    """Count the architectures with a probe whose recipe values are chosen, as ``3/12``; empty if nothing is tuned."""
    if params.experiment(name).tune is None:
        return ""
    choices = [runs.choice(params, scale) for scale in params.families(name)]
    return f"{sum(choice is not None for choice in choices)}/{len(choices)}"


def recorded(params: Params, name: str) -> str:
    """Return the file in which DVC records the experiment."""
    file = Path("dvc.lock") if name in params.replicate else Path("results", name, "dvc.lock")
    return str(file) if file.exists() and f"results/{name}/runs" in file.read_text(encoding="utf-8") else "no"


def disk() -> dict[str, int]:
    """Return the bytes of prepared data, checkpoints, everything else in results, DVC's cache, and unfinished work."""
    cache_folder = subprocess.run(["dvc", "cache", "dir"], capture_output=True, text=True).stdout.strip()
    runs = [path for path in Path("results").glob("*/runs") if path.is_dir()]
    checkpoints = sum(size(path, ".safetensors") for path in runs)
    return {
        "prepared data (results/data)": size(Path("results/data")),
        "checkpoints (results/*/runs)": checkpoints,
        "other results": size(Path("results")) - size(Path("results/data")) - checkpoints,
        "DVC's cache (dvc gc frees what no commit needs)": size(Path(cache_folder)) if cache_folder else 0,
        "unfinished work (.lowparam)": size(Path(".lowparam")),
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
        return [f"dvc status failed: {asked.stderr.strip().splitlines()[-1]}"]
    stages = json.loads(asked.stdout)
    todo = [run for name in params.replicate for run, word in found[name].items() if word in ("stale", "missing")]
    if not stages and not todo:
        return ["dvc repro has nothing to do"]
    lines = ["dvc repro would look at:" if stages else "dvc repro has nothing to do, but runs are missing or stale:"]
    lines += [f"  {name}: {reasons(changes)}" for name, changes in stages.items()]
    if todo:
        lines.append(f"and train {len(todo)} runs: {about(params, todo)}")
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


def about(params: Params, runs: list[Run]) -> str:
    """Say how long the training of runs will take, as far as it can be predicted."""
    count = cores()
    try:
        return f"about {duration(seconds(params, runs) * PROFILE / count)} on {count} cores, profiles included"
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


def seconds(params: Params, runs: list[Run]) -> float:
    """Predict the seconds of one core that runs will train.

    Raises
    ------
    LowparamError
        If the data are not prepared, from which the number of images is known.
    """
    total = 0.0
    for experiment in dict.fromkeys(run.scale.experiment for run in runs):
        known = plans.kept(params, experiment)
        mine = [run for run in runs if run.scale.experiment == experiment]
        if any(run.scale.name not in known for run in mine):
            subprocess.run(["lowparam", "plan", experiment], capture_output=True)
            known = plans.kept(params, experiment)
        if any(run.scale.name not in known for run in mine):
            raise LowparamError(f"lowparam plan {experiment}")
        seeds = len(params.experiment(experiment).seeds)
        total += sum(known[run.scale.name]["seconds"] / seeds for run in mine)
    return total
