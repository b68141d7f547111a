"""Profile a training step by kind of operator, for lowparam and for the textbook loop.

    python benchmarks/operator_shares.py --size 8 convnext nodepth_a

Prints torch's self times in ms a step on one thread, without the overhead of the profiler and of Python.
They are wall times, so run it on a quiet machine.
"""

import argparse
import re

import pandas as pd
import torch
from competitors import NETWORKS, SIDES
from torch.profiler import ProfilerActivity, profile

GROUPS = {
    "compiled: convolution, norm, activation": r"ConvNormAct|lowparam::conv_norm_act",
    "compiled: layer norm": r"^LayerNorm$|lowparam::layer_norm|_LayerNorm",
    "convolutions": r"mkldnn_convolution|convolution_backward|_Depthwise|thnn_conv",
    "matrix products": r"aten::(mm|addmm|bmm|mv)$",
    "GELU, ReLU and the like": r"gelu|relu|hardtanh|threshold|hardswish|hardsigmoid|clamp|_ReLU6",
    "batch norm": r"batch_norm",
    "layer norm": r"layer_norm",
    "copies": r"aten::(copy_|clone|contiguous|cat|fill_|zero_)$",
    "sums, products, means": r"aten::(add_?|mul_?|sum|mean|div_?|sub_?)$",
    "optimiser": r"adam|Optimizer",
}


def group(name: str) -> str:
    """Return the kind of an operator."""
    return next((kind for kind, pattern in GROUPS.items() if re.search(pattern, name)), "everything else")


def measure(side: str, network: str, size: int, batch: int = 64) -> pd.Series:
    """Profile one epoch after a warm-up epoch; return ms a step by kind."""
    epoch, images = SIDES[side](network, size)
    epoch()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        epoch()
    rows = [(group(event.key), event.self_cpu_time_total / 1e3) for event in profiler.key_averages()]
    return pd.DataFrame(rows, columns=["kind", side]).groupby("kind")[side].sum() / (images / batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["convnext", "nodepth_a"], help="of " + ", ".join(NETWORKS))
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = {}
    for network in arguments.networks:
        for side in ("ours", "textbook, 1 thread"):
            runs = [measure(side, network, arguments.size) for _ in range(arguments.repeats)]
            columns[f"{network}, {side}"] = pd.concat(runs, axis=1).median(axis=1)
    table = pd.DataFrame(columns).fillna(0.0).reindex([*GROUPS, "everything else"])
    table.loc["all"] = table.sum()
    print(table.round(2).to_markdown())


if __name__ == "__main__":
    main()
