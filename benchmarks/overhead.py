"""Measure the overhead of the pipeline: wall time of `snakemake` against the times of its jobs.

    python benchmarks/overhead.py digits --epochs 25

Runs an experiment of params.yaml from scratch in a temporary folder, on all cores, and compares the wall time with the
sum of the `benchmark:` files divided by the number of cores. The rest is start-up, planning and idle cores.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--target", default="", help="target for snakemake, by default everything")
    arguments = parser.parse_args()
    cores = os.cpu_count()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "w")
        ignore = shutil.ignore_patterns(".git", ".snakemake", ".lowparam", ".venv", "results", "logs")
        shutil.copytree(ROOT, folder, ignore=ignore)
        params = yaml.safe_load((folder / "params.yaml").read_text())
        params["replicate"] = [arguments.experiment]
        if arguments.epochs:
            recipe = params["experiments"][arguments.experiment]["recipe"]
            recipes = yaml.safe_load((folder / "recipes.yaml").read_text())
            recipes[recipe]["epochs"] = arguments.epochs
            (folder / "recipes.yaml").write_text(yaml.safe_dump(recipes))
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        start = time.perf_counter()
        command = ["lowparam", "run", "--cores", str(cores), *arguments.target.split()]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        wall = time.perf_counter() - start
        files = sorted((folder / "results").rglob("benchmarks/**/*.tsv"))
        jobs = pd.concat([pd.read_csv(file, sep="\t").assign(file=file.parent.name) for file in files])
        runs = len(list((folder / "results" / arguments.experiment / "runs").glob("*/seed*")))
    print(jobs.groupby("file")["s"].agg(["count", "sum"]).to_markdown())
    work = jobs["s"].sum() / cores
    print(f"{runs} runs: wall {wall:.0f} s, jobs over {cores} cores {work:.0f} s, overhead {wall / work - 1:.1%}")


if __name__ == "__main__":
    main()
