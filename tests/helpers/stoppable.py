"""lowparam, killed after so many epochs: stoppable.py EPOCHS ARGUMENTS."""

import os
import signal
import sys

from lowparam.cli import app
from lowparam.training import checkpoint

if __name__ == "__main__":
    epochs, save, saved = int(sys.argv.pop(1)), checkpoint.save, 0

    def stopping(*arguments):
        global saved
        save(*arguments)
        saved += 1
        if saved == epochs:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save = stopping
    app()
