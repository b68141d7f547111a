"""Measure runs per hour of a small grid: `lowparam train` as the pipeline starts it against one script per run.

    python benchmarks/runs_per_hour.py --repeats 5

The grid has two architectures at 25k parameters with three seeds each, ten epochs on digits. The start-up of processes
counts, and both sides save weights.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import yaml

from lowparam import params
from lowparam.data.prepare import prepare

FOLDER = Path(__file__).parent
ARCHITECTURES, SEEDS, EPOCHS, BUDGET = ["mobilenetv1", "mobilenetv2"], [0, 1, 2], 10, 25_000
PARAMS = {
    "data": {"digits": {"source": "digits", "split": {"train": 0.6, "validation": 0.15, "test": 0.25}}},
    "recipes": {
        "bench": {
            "epochs": EPOCHS,
            "batch_size": 64,
            "lr": 0.004,
            "weight_decay": 0.05,
            "augment": {"crop_padding": 1},
        }
    },
    "replicate": ["bench"],
    "experiments": {
        "bench": {
            "data": "digits",
            "recipe": "bench",
            "architectures": ARCHITECTURES,
            "probes": ["none"],
            "budgets": [BUDGET],
            "seeds": SEEDS,
        }
    },
}


def ours(folder):
    """Train with one process per scale and one thread each, as many at once as there are cores."""
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    scales = [scale.name for scale in params.load(folder / "params.yaml").scales("bench")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = Path(sys.executable).with_name("lowparam")

    def train(scale):
        subprocess.run(
            [program, "train", "bench", scale], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
        )

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(train, scales))


def textbook(folder):
    """Train with one process per run, one after the other, with torch's default number of threads."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    for architecture in ARCHITECTURES:
        for seed in SEEDS:
            command = [sys.executable, FOLDER / "textbook.py", architecture, BUDGET, seed, EPOCHS]
            command += [folder / "results/data/digits", folder / f"{architecture}-{seed}.pt"]
            subprocess.run([str(part) for part in command], env=environment, check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--add", action="store_true", help="add to earlier repeats")
    arguments = parser.parse_args()
    file = FOLDER / "results" / "runs_per_hour.json"
    seconds = json.loads(file.read_text()) if arguments.add and file.exists() else {"ours": [], "textbook": []}
    for _ in range(arguments.repeats):
        for side in (ours, textbook):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                chosen = params.Params.model_validate(PARAMS)
                prepare("digits", chosen.data["digits"], folder / "results/data/digits")
                start = time.perf_counter()
                side(folder)
                seconds[side.__name__].append(time.perf_counter() - start)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(seconds, indent=1) + "\n")
    runs = len(ARCHITECTURES) * len(SEEDS)
    for side, times in seconds.items():
        middle = median(times)
        print(f"{side}: {middle:.1f} s for {runs} runs (median of {len(times)}), {3600 * runs / middle:.0f} an hour")
    print(f"x {median(seconds['textbook']) / median(seconds['ours']):.2f}")


if __name__ == "__main__":
    main()
