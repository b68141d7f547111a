"""What a person sees who waits: a bar on a terminal, one line in a log, nothing if it is quick."""

import os
import pty
import subprocess
import sys
from threading import Event

import pytest

from lowparam import waiting

ON_TERMINAL = """
from threading import Event
from lowparam import waiting
waiting.BAR_AFTER = {after}
shown = Event()
start = waiting.Progress.start
waiting.Progress.start = lambda bar: (start(bar), shown.set())
with waiting.waiting("counting sheep", 3) as done:
    done()
    shown.wait({wait})
print("done")
"""


@pytest.fixture
def shown(monkeypatch) -> Event:
    """Show lines at once, and tell when one was shown."""
    monkeypatch.setattr(waiting, "LINE_AFTER", 0.0)
    monkeypatch.setattr(waiting._Wait, "told", False)
    event, show = Event(), waiting._Wait._show
    monkeypatch.setattr(waiting._Wait, "_show", lambda wait: (show(wait), event.set()))
    return event


@pytest.mark.parametrize(
    ("seconds", "said"), [(3, "3 s"), (59.4, "59 s"), (90, "2 min"), (3_599, "1 h 0 min"), (7_500, "2 h 5 min")]
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert waiting.duration(seconds) == said


def test_a_log_gets_one_line_with_what_is_done_and_what_is_left(capsys, shown):
    for doing in ("counting sheep", "counting goats"):
        for number in waiting.track([1, 2, 3], doing):
            if number == 3:
                assert shown.wait(60)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lowparam: counting sheep: ") and output.err.count("\n") == 1
    assert " of 3 done after 0 s" in output.err


def test_the_line_tells_how_long_the_rest_takes(monkeypatch):
    wait = waiting._Wait("counting sheep", 4)
    wait.end()
    monkeypatch.setattr(waiting.time, "monotonic", lambda: wait.start + 30)
    assert wait._line() == "counting sheep: 0 of 4 done after 30 s"
    wait.step()
    assert wait._line() == "counting sheep: 1 of 4 done after 30 s, about 2 min left"
    wait.total = None
    assert wait._line() == "counting sheep, 30 s so far"


def test_what_is_quick_shows_nothing_and_an_error_passes(capsys):
    with pytest.raises(ZeroDivisionError), waiting.waiting("dividing", 1):
        _ = 1 / 0
    assert list(waiting.track([], "nothing")) == []
    assert capsys.readouterr() == ("", "")


def test_a_wait_within_another_is_part_of_it(capsys, shown):
    with waiting.waiting("the outer", 1):
        assert shown.wait(60)
        with waiting.waiting("the inner", 5) as done:
            done()
    assert "the outer: 0 of 1" in capsys.readouterr().err


def on_terminal(after: float, wait: float) -> tuple[str, str]:
    """Run a wait whose standard error is a terminal; return what is on it and on the standard output."""
    parent, child = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", ON_TERMINAL.format(after=after, wait=wait)],
        stderr=child,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        check=True,
    )
    os.close(child)
    screen = b""
    while True:
        try:
            screen += os.read(parent, 65536)
        except OSError:  # all was read
            break
    os.close(parent)
    return screen.decode(), done.stdout


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end():
    screen, output = on_terminal(after=0.0, wait=60)
    assert "counting sheep" in screen and "1/3" in screen
    assert screen.rstrip().endswith("\x1b[2K"), "the line is erased"
    assert output == "done\n"


def test_a_terminal_shows_nothing_of_what_is_quick():
    assert on_terminal(after=600.0, wait=0) == ("", "done\n")
