"""Train the quick experiment in a process of its own: python train_quick.py DATA WORK RESULTS [SEEDS]."""

import sys
from pathlib import Path

from lowparam.errors import LowparamError
from lowparam.training.train_scale import train_scale
from quick import make_params

if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:4]]
    params = make_params(seeds=range(int(sys.argv[4]) if len(sys.argv) > 4 else 2))
    try:
        train_scale(params, params.scales("quick")[0], data_folder=folders[0], work=folders[1], results=folders[2])
    except LowparamError as error:
        sys.exit(f"lowparam: {error}")
