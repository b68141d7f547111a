"""What is printed can be read on every terminal: whatever its encoding, and without a cut in a pipe."""

import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lowparam import terminal
from lowparam.cli import app
from workspace import ROOT

NAMES = [command.name or command.callback.__name__ for command in app.registered_commands]
ASCII = [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
PRINT = "from lowparam.terminal import write_what_the_encoding_has as w; w(); print({text})"
HELP = """
from contextlib import suppress
from lowparam.cli import app
for name in {names}:
    with suppress(SystemExit):
        app([*name.split(), "--help"])
"""


def plain(code: str, encoding: dict[str, str]) -> str:
    """Run Python code with a terminal of few letters; return what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHONUTF8"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=environment | encoding)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    return done.stdout.decode("ascii")


@pytest.mark.parametrize("encoding", ASCII, ids=["stream", "locale"])
def test_what_the_encoding_lacks_is_replaced_by_what_is_near(encoding):
    text = "1–2 × 3 → π ≤ é … 中 \udcff"
    assert plain(PRINT.format(text=ascii(text)), encoding).rstrip() == r"1-2 x 3 -> \u03c0 <= e ... \u4e2d \udcff"


@pytest.mark.parametrize("encoding", ASCII, ids=["stream", "locale"])
def test_every_page_of_help_can_be_shown(encoding):
    page = plain(HELP.format(names=["", *NAMES]), encoding)
    assert page.count("Usage:") == len(NAMES) + 1


def test_a_table_in_a_pipe_is_as_wide_as_it_needs(monkeypatch, capsys):
    from rich.table import Table

    table = Table("experiment", box=None)
    table.add_row("x" * 300)
    terminal.console().print(table)
    assert re.search("x{300}", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("output", "code", "says"),
    [
        ("> /dev/full", 1, "lowparam: cannot write: No space left on device; the output, or a file, has no room\n"),
        (">&-", 0, ""),
    ],
)
def test_output_that_goes_nowhere_ends_in_at_most_a_line(tmp_path, output, code, says):
    command = f"{sys.executable} -m lowparam.cli --help {output}"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")}, capture_output=True
    )
    assert (done.returncode, done.stderr.decode()) == (code, says)


@pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), OSError(27, "File too large")])
def test_a_full_disk_is_one_line_whoever_writes(monkeypatch, raised):
    def fail(*_, **__):
        raise raised

    monkeypatch.setattr("lowparam.params.load", fail)
    result = CliRunner().invoke(app, ["plan"])
    assert result.exit_code == 1
    assert result.output == f"lowparam: cannot write: {raised.strerror}; the output, or a file, has no room\n"
