"""Measure training steps and fit the costs behind `lowparam plan`: seconds per layer, activation value and MAC.

    python benchmarks/fit_plan.py --repeats 5

Prints the three costs, the errors of the prediction, and the table of docs/performance.md.
"""

import argparse
import time
from itertools import product
from statistics import median

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from competitors import NETWORKS, dataset
from scipy.optimize import nnls

from lowparam.models import network_for
from lowparam.models.counts import count_layers
from lowparam.params import Recipe
from lowparam.training.loop import Training

BATCH = 64
NAMES = [name for name in NETWORKS if ":" not in name]
SETTINGS = [(8, 10_000), (8, 100_000), (28, 25_000), (28, 250_000), (32, 100_000)]
FACTORS = ["layers", "values", "macs"]


def stepper(name, size, budget, probe):
    """Return a training step of a network, and its counts."""
    spec = {
        "mode": "controlled", "architecture": name, "probe": probe, "budget": budget,
        "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4,
    }  # fmt: skip
    net = network_for(spec, classes=10, in_channels=1, size=size)
    counts = count_layers(net, 1, size)
    recipe = Recipe(epochs=1, batch_size=BATCH, lr=0.001, weight_decay=0.05)
    training = Training(net, dataset(size), recipe, seed=0, device=torch.device("cpu"))
    images, labels, _ = next(training.training_batches(torch.Generator().manual_seed(0)))

    def step():
        loss = F.cross_entropy(training.net(images), labels)
        training.optimizer.zero_grad()
        loss.backward()
        training.optimizer.step()

    return step, [counts.layers, counts.values * BATCH, counts.macs * BATCH]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    cases = [(name, *setting, "none") for name, setting in product(NAMES, SETTINGS)]
    cases += [(name, 8, 100_000, "solu_s1") for name in NAMES]
    for case in cases:
        step, counted = stepper(*case)
        step()
        times = []
        for _ in range(arguments.repeats):
            start = time.process_time()
            step()
            times.append(time.process_time() - start)
        rows.append([*case, *counted, median(times)])
    table = pd.DataFrame(rows, columns=["name", "size", "budget", "probe", *FACTORS, "seconds"])
    factors, seconds = table[FACTORS].to_numpy(float), table["seconds"].to_numpy()
    costs, _ = nnls(factors / seconds[:, None], np.ones(len(table)))  # relative errors count alike at all sizes
    errors = np.abs(factors @ costs / seconds - 1)
    print(", ".join(f"{cost:.3g} s a {name}" for cost, name in zip(costs, ("layer", "value", "MAC"), strict=True)))
    print(f"{len(table)} steps, median error {np.median(errors):.0%}, largest {errors.max():.0%}")
    print(table.assign(error=errors).nlargest(3, "error")[["name", "size", "budget", "probe", "error"]])
    base = table[table["probe"] == "none"].assign(ms=table["seconds"] * 1e3)
    print(base.pivot(index=["size", "budget"], columns="name", values="ms")[NAMES].round(0).to_markdown())


if __name__ == "__main__":
    main()
