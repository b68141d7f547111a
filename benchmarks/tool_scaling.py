"""Measure how long Snakemake, DVC and the commands around training take as the number of runs grows.

    python benchmarks/tool_scaling.py 300 3000

The runs are copies of one real run and take no time; Snakemake, DVC and all other commands are real. Times are CPU
seconds, which a busy machine changes little.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/helpers"))

from simulated import grid, simulate  # noqa: E402
from workspace import Workspace, busy, small_params  # noqa: E402

COMMANDS = {
    "start of snakemake": ("snakemake", "--version"),
    "snakemake: all jobs, without their own time": ("snakemake", "--cores", "2"),
    "snakemake -n, nothing to do": ("snakemake", "--dry-run"),
    "start of dvc": ("dvc", "--version"),
    "dvc repro, to record it": ("dvc", "repro"),
    "dvc status": ("dvc", "status"),
    "lowparam status": ("lowparam", "status"),
    "lowparam collect": ("lowparam", "collect", "digits"),
    "lowparam tables": ("lowparam", "tables", "digits"),
    "lowparam claims": ("lowparam", "claims", "digits"),
    "lowparam figures": ("lowparam", "figures", "digits"),
}


def one_run(folder: Path) -> Workspace:
    """Return a workspace with the real run that the others are copied from."""
    workspace = Workspace.of_this_repository(folder)
    params = small_params()
    params["experiments"]["digits"] |= {"architectures": ["mobilenetv1"], "probes": ["none"]}
    workspace.write(params)
    workspace.snakemake("digits_profiles")
    return workspace


def measure(real: Workspace, folder: Path, runs: int) -> dict[str, float]:
    """Return CPU seconds of each command on a grid with this number of runs."""
    workspace = simulate(real, folder, grid(runs))
    workspace.run("lowparam", "check", "digits")  # builds every network once
    seconds = {}
    for name, command in COMMANDS.items():
        start = busy()
        workspace.run(*command)
        seconds[name] = busy() - start
        print(f"{runs} runs: {name} {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    commands = ("collect", "tables", "claims", "figures")
    seconds["snakemake: all jobs, without their own time"] -= sum(seconds[f"lowparam {name}"] for name in commands)
    return seconds


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        real = one_run(Path(temporary) / "real")
        table = pd.DataFrame(
            {f"{runs} runs": measure(real, Path(temporary) / runs, int(runs)) for runs in sys.argv[1:]}
        )
    print(table.to_markdown(floatfmt=".1f"))
