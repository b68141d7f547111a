"""Follow a page of docs/howto literally, in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
EXPERIMENT = "  digits:\n    data: digits\n    recipe: digits\n"
"""Under which line of params.yaml a page's YAML is written, unless a test sets another."""


@dataclass
class HowTo:
    """A copy of the package and its settings, in which a page was followed.

    Attributes
    ----------
    folder : Path
        The copy.
    files : list of str
        Files that the page told to write.
    lines : str
        What it told to write into params.yaml.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    lines: str = ""

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command (``python`` or ``lowparam`` and arguments) in the copy and return what it printed."""
        program = {"python": [sys.executable], "lowparam": [sys.executable, "-m", "lowparam.cli"]}[command[0]]
        ran = subprocess.run(
            [*program, *command[1:]],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "workflow"), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert (ran.returncode != 0) == fails, ran.stderr + ran.stdout
        return ran.stdout


def follow(page: str, folder: Path, *, under: str = EXPERIMENT, apply: bool = True) -> HowTo:
    """Copy the package, and follow docs/howto/<page>.md.

    The first block of code after a line with "Write `path`" is the content of that file, which must be new. The first
    block of YAML is written into params.yaml after the lines `under`.

    Parameters
    ----------
    apply : bool
        Whether to do so; if not, the copy is as it was.
    """
    text = (ROOT / "docs/howto" / f"{page}.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "workflow", folder / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "recipes.yaml"):
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, folder / name)
    done = HowTo(folder)
    if not apply:
        return done
    for file, content in re.findall(r"Write `([^`\n]+)`.*?```(?:python|yaml)\n(.*?)```", text, re.DOTALL):
        path = folder / file
        assert not path.exists(), f"{file} is not new"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        done.files.append(file)
        text = text.replace(content, "", 1)
    if block := re.search(r"```yaml\n(.+?)```", text, re.DOTALL):
        done.lines = block[1]
        params = (folder / "params.yaml").read_text(encoding="utf-8")
        assert params.count(under) == 1
        changed = params.replace(under, under + done.lines)
        yaml.safe_load(changed)
        (folder / "params.yaml").write_text(changed, encoding="utf-8")
    return done
