"""Compare a training step with the limits of the machine: its FLOPs and bytes against measured rates.

    python benchmarks/roofline.py --repeats 5

Bytes assume that every layer reads its input and writes its output once in the forward pass and twice in the backward
pass. Savings by caches are not counted, so a share above 1 of the memory's copy rate is possible.
"""

import argparse
import time
from statistics import median

import pandas as pd
import torch
import torch.nn.functional as F
from competitors import BUDGET, NETWORKS, dataset, network

from lowparam.models.counts import count_layers
from lowparam.params import Recipe
from lowparam.training.loop import Training

BATCH = 64


def seconds(function, repeats):
    """Return the median time of a call."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    gemm = 2 * 1024**3 / seconds(lambda: a @ b, arguments.repeats)
    small, large = torch.randn(128 * 1024), torch.randn(64 * 1024**2)  # 0.5 MB, within L2, and 256 MB
    copies = {}
    for name, source in (("cache", small), ("memory", large)):
        target = torch.empty_like(source)
        calls = large.numel() // source.numel()

        def copy(source=source, target=target, calls=calls):
            for _ in range(calls):
                target.copy_(source)

        copies[name] = 2 * 4 * large.numel() / seconds(copy, arguments.repeats)
    cache, memory = copies["cache"] / 1e9, copies["memory"] / 1e9
    print(f"GEMM {gemm / 1e9:.0f} GFLOP/s, copies {cache:.0f} GB/s in cache and {memory:.0f} GB/s in memory")
    rows = []
    for name in [name for name in NETWORKS if not name.startswith("timm:")]:
        net = network(name, arguments.size)
        counts = count_layers(net, 1, arguments.size)
        recipe = Recipe(epochs=1, batch_size=BATCH, lr=0.004, weight_decay=0.05)
        training = Training(net, dataset(arguments.size), recipe, seed=0, device=torch.device("cpu"))
        images, labels, _ = next(training.training_batches(torch.Generator().manual_seed(0)))

        def step(training=training, images=images, labels=labels):
            loss = F.cross_entropy(training.net(images), labels)
            training.optimizer.zero_grad()
            loss.backward()
            training.optimizer.step()

        took = seconds(step, 10 * arguments.repeats)
        flops, moved = 3 * 2 * counts.macs * BATCH, 3 * 2 * 4 * counts.values * BATCH
        rows.append(
            {
                "network": name,
                "ms a step": took * 1e3,
                "GFLOP/s": flops / took / 1e9,
                "share of GEMM": flops / took / gemm,
                "GB/s": moved / took / 1e9,
                "share of cache copies": moved / took / copies["cache"],
            }
        )
    print(f"{BUDGET:,} parameters, {arguments.size} pixels, batch {BATCH}, one thread")
    print(pd.DataFrame(rows).set_index("network").round(2).to_markdown())


if __name__ == "__main__":
    main()
