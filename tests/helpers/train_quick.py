"""Train the quick experiment in a process of its own: python train_quick.py DATA WORK RESULTS [SEEDS [SHARE]].

With SHARE, the process dies that share of an epoch after its first checkpoint.
"""

import signal
import sys
import time
from pathlib import Path

from lowparam.errors import LowparamError
from lowparam.training import checkpoint
from lowparam.training.loop import Training
from lowparam.training.train_scale import train_scale
from quick import make_params


def die_later(share: float) -> None:
    """Let the process be killed by the kernel at any moment, counted in computing time, not by the clock."""
    run_epoch, save = Training.run_epoch, checkpoint.save
    took = []

    def running(training):
        start = time.process_time()
        row = run_epoch(training)
        took.append(time.process_time() - start)
        return row

    def saving(*arguments):
        save(*arguments)
        if len(took) == 1:
            signal.setitimer(signal.ITIMER_PROF, max(1e-3, share * took[0]))

    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends a process without a word
    Training.run_epoch, checkpoint.save = running, saving


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:4]]
    params = make_params(seeds=range(int(sys.argv[4]) if len(sys.argv) > 4 else 2))
    if len(sys.argv) > 5:
        die_later(float(sys.argv[5]))
    try:
        train_scale(params, params.scales("quick")[0], data_folder=folders[0], work=folders[1], results=folders[2])
    except LowparamError as error:
        sys.exit(f"lowparam: {error}")
