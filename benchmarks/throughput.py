"""Measure images per second of one training: lowparam against other loops on the same networks and images.

    python benchmarks/throughput.py --size 8 --repeats 5

Each loop runs in its own process, one after the other; the table shows medians over the repeats.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from competitors import NETWORKS, SIDES

FOLDER = Path(__file__).parent


def measure(side, size):
    """Train each network with one of the loops; print images per wall and per CPU second after a warm-up epoch."""
    for network in NETWORKS:
        if network.startswith("timm:") and size < 28:
            continue
        epoch, images = SIDES[side](network, size)
        epoch()  # warm up: the first epoch also compiles kernels
        wall, cpu = time.perf_counter(), time.process_time()
        epoch()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"network": network, "side": side, "wall": images / wall, "cpu": images / cpu}), flush=True)


def table(rows):
    """Return medians in images per second, and the ratio of lowparam to each other loop."""
    medians = pd.DataFrame(rows).pivot_table(index="network", columns="side", values=["cpu", "wall"], aggfunc="median")
    columns = {}
    for clock in ("cpu", "wall"):
        ours = medians[clock]["ours"]
        columns[f"ours / {clock} s"] = ours.round(0)
        for side in [name for name in SIDES if name != "ours" and name in medians[clock]]:
            columns[f"{side} / {clock} s"] = medians[clock][side].round(0)
            columns[f"x {side}, {clock}"] = (ours / medians[clock][side]).round(2)
    return pd.DataFrame(columns).reindex([n for n in NETWORKS if n in medians.index])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=8, help="height of the images in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--add", action="store_true", help="add to earlier repeats")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--side", choices=SIDES, help="measure only this side, in this process")
    arguments = parser.parse_args()
    if arguments.side:
        return measure(arguments.side, arguments.size)
    file = FOLDER / "results" / f"throughput-{arguments.size}.json"
    rows = json.loads(file.read_text()) if arguments.add and file.exists() else []
    for _ in range(arguments.repeats):
        for side in arguments.sides:
            environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
            if side != "textbook":
                environment["OMP_NUM_THREADS"] = "1"
            if side.startswith("ours"):
                environment["THP_MEM_ALLOC_ENABLE"] = "1"  # as `lowparam train` does
            command = [sys.executable, __file__, "--side", side, "--size", str(arguments.size)]
            output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            rows += [json.loads(line) for line in output.splitlines()]
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows).to_markdown())
    return None


if __name__ == "__main__":
    main()
