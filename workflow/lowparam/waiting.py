"""Tell a person who waits what is being done, how much of it is done, and how long the rest will take.

All of it goes to the standard error: on a terminal a bar, which is gone at the end; elsewhere at most one line a
process, so that a log tells what took its time. What is quick shows nothing.
"""

import sys
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

__all__ = ["duration", "track", "waiting"]

BAR_AFTER, LINE_AFTER = 1.0, 5.0
"""Seconds until there is a bar on a terminal, and a line elsewhere."""

Item = TypeVar("Item")


def duration(seconds: float) -> str:
    """Write a time as people read it: ``40 s``, ``7 min``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def waiting(doing: str, total: int | None = None) -> Generator[Callable[[], None]]:
    """Show what is being done while the block runs; yield a function to call after each of its `total` steps.

    Within another wait it shows nothing, because the steps of the outer one count.

    Parameters
    ----------
    doing : str
        What is done, such as ``counting networks``.
    total : int or None
        Number of steps; None where they cannot be counted, as in another program.
    """
    if _Wait.current is not None:
        yield lambda: None
        return
    wait = _Wait.current = _Wait(doing, total)
    try:
        yield wait.step
    finally:
        _Wait.current = None
        wait.end()


def track(items: Collection[Item], doing: str) -> Iterator[Item]:
    """Yield items one by one, and show how many of them are done; see `waiting`."""
    with waiting(doing, len(items)) as done:
        for item in items:
            yield item
            done()


class _Wait:
    """A wait that shows itself once it has become long."""

    current: "_Wait | None" = None
    told = False  # whether this process has written its line

    def __init__(self, doing: str, total: int | None) -> None:
        self.doing, self.total, self.done, self.start = doing, total, 0, time.monotonic()
        console = Console(stderr=True)
        self.bar = _bar(console, total) if console.is_interactive else None
        self.task = None if self.bar is None else self.bar.add_task(doing, total=total)
        self.timer = Timer(LINE_AFTER if self.bar is None else BAR_AFTER, self._show)
        self.timer.daemon = True
        self.timer.start()

    def step(self) -> None:
        self.done += 1
        if self.bar is not None:
            self.bar.advance(self.task)

    def end(self) -> None:
        self.timer.cancel()
        self.timer.join()
        if self.bar is not None:
            self.bar.stop()

    def _show(self) -> None:
        if self.bar is not None:
            self.bar.start()
        elif not _Wait.told:
            _Wait.told = True
            print(f"lowparam: {self._line()}", file=sys.stderr, flush=True)

    def _line(self) -> str:
        elapsed = time.monotonic() - self.start
        if self.total is None:
            return f"{self.doing}, {duration(elapsed)} so far"
        rest = elapsed * (self.total - self.done) / self.done if self.done else 0.0
        left = f", about {duration(max(rest, 1.0))} left" if rest else ""
        return f"{self.doing}: {self.done} of {self.total} done after {duration(elapsed)}{left}"


def _bar(console: Console, total: int | None) -> Progress:
    shown = (
        (BarColumn(), MofNCompleteColumn(), _TimeLeft()) if total is not None else (SpinnerColumn("line"), _Elapsed())
    )
    return Progress(
        TextColumn("{task.description}"),
        *shown,
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class _TimeLeft(ProgressColumn):
    """About how long the rest takes, once that is known."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None else f"about {duration(left)} left")


class _Elapsed(ProgressColumn):
    """How long it has taken."""

    def render(self, task: Task) -> Text:
        return Text(duration(task.elapsed or 0))
