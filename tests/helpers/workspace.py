"""Runs of the real Snakefile and dvc.yaml in copies of this repository: real digits, a grid that takes seconds."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[2]


def busy() -> float:
    """Seconds that finished child processes computed; the clock would count what else the machine does."""
    times = os.times()
    return times.children_user + times.children_system


def kill(process: subprocess.Popen) -> None:
    """Kill a process and all that it started, at once and without asking; one that has ended is left alone."""
    for member in stopped(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.communicate()


@contextlib.contextmanager
def paused(process: subprocess.Popen) -> Iterator[None]:
    """Stop a process and all that it started while the block runs, so that the two do not race."""
    tree = stopped(process)
    try:
        yield
    finally:
        for member in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.resume()


def stopped(process: subprocess.Popen) -> list[psutil.Process]:
    """Stop a process and all that it started, parents first, and return them; none if it has ended."""
    if process.poll() is not None:  # asked for, so its number may be that of another process by now
        return []
    tree = [psutil.Process(process.pid)]  # not asked for yet, so there, even if it has ended just now
    for member in tree:  # grows; a parent that is stopped starts no child and lets none vanish
        with contextlib.suppress(psutil.NoSuchProcess):
            member.suspend()
            tree += member.children()
    return tree


def await_that(happened: Callable[[], bool], process: subprocess.Popen) -> bool:
    """Wait until something has happened, or until a process has ended; whether it happened.

    It takes as long as it takes: a limit in seconds would be one for the machine and what else it does.
    """
    while not happened():
        if process.poll() is not None:
            return happened()
        time.sleep(0.01)
    return True


def small_params() -> dict:
    """The project's own params.yaml, cut down to four scales of two short runs each."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    recipes = yaml.safe_load((ROOT / "recipes.yaml").read_text(encoding="utf-8"))
    params["recipes"] = {"digits": recipes["digits"] | {"epochs": 3, "warmup_epochs": 1}}
    params["experiments"] = {
        "digits": {
            "data": "digits",
            "recipe": "digits",
            "architectures": ["mobilenetv1", "nodepth_a"],
            "budgets": ["10k"],
            "seeds": [0, 1],
        }
    }
    params["replicate"] = ["digits"]
    return params


@dataclass
class Workspace:
    """A folder in which commands run, with the package that lies in it, if one does."""

    folder: Path
    bin: Path | None = None  # commands that stand before the real ones

    @classmethod
    def of_this_repository(cls, folder: Path) -> "Workspace":
        """Copy what git would, changes that are not committed too, but no results; commit it as a repository."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        for name in names:
            if (ROOT / name).is_file() and not name.startswith("results/") and name != "dvc.lock":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        workspace = cls(folder)
        workspace.run("git", "init", "--quiet", "--initial-branch=main")
        return workspace

    def write(self, params: dict) -> None:
        """Write the settings, the recipes in them into their own file."""
        for file, content in (
            ("params.yaml", {key: value for key, value in params.items() if key != "recipes"}),
            ("recipes.yaml", params["recipes"]),
        ):
            (self.folder / file).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def read(self) -> dict:
        """Return the settings, the recipes among them."""
        params, recipes = (
            yaml.safe_load((self.folder / file).read_text(encoding="utf-8")) for file in ("params.yaml", "recipes.yaml")
        )
        return {**params, "recipes": recipes}

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command in the folder and return what it printed."""
        process = self.start(*command)
        output, _ = process.communicate()
        assert (process.returncode != 0) == fails, output[-6000:]
        return output

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command in the folder."""
        own = {"PYTHONPATH": str(self.folder / "workflow"), "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}
        if self.bin:
            own["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        me = {f"GIT_{role}_{part}": "tests@localhost" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **own, **me},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "State of a test")

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        """Run the workflow as a user does."""
        return self.run("lowparam", "run", "--cores", "2", *arguments, fails=fails)

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Ask a dry run for the number of jobs by rule; empty if nothing is to be done.

        There is a rule ``train_<seeds>`` for each list of seeds, counted as ``train``; ``profile_<n>`` as ``profile``,
        and ``tune_<trials>`` as ``tune``.
        """
        output = self.snakemake("--dry-run", *arguments)
        if "Nothing to be done" in output:
            return {}
        table = output.partition("Job stats:")[2].partition("total")[0].splitlines()[3:]
        counts: dict[str, int] = {}
        for rule, count in (line.split() for line in table if len(line.split()) == 2):
            name = re.sub(r"^(tune|train|profile)_[\d_]+$", r"\1", rule)
            counts[name] = counts.get(name, 0) + int(count)
        return counts

    def contents(self, pattern: str) -> dict[str, bytes]:
        """Files under results/digits that fit a pattern, by path."""
        base = self.folder / "results" / "digits"
        return {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.glob(pattern)) if path.is_file()}

    def repeatable(self, pattern: str) -> dict[str, bytes]:
        """The same without measured times: they differ each time."""
        found = self.contents(pattern)
        return {path: found[path] for path in found if not path.startswith(("benchmarks/", "tables/cost."))}

    def trained(self, scale: str) -> set[int]:
        """Seeds that the last job of a scale trained, from its log."""
        log = (self.folder / f"logs/digits/train/{scale}.log").read_text(encoding="utf-8")
        return {int(line.split(" seed ")[1].split()[0]) for line in log.splitlines() if " epoch " in line}

    def copy(self, folder: Path) -> "Workspace":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workspace(folder)


LISTENER = """\
#!/bin/bash
# Precedes the real command on the PATH and keeps all that trainings print, also after a job started again.
set -o pipefail
{real} "$@" 2>&1 | tee -a {heard}
"""

HOLDER = """\
#!/bin/bash
# The same, but the first job that trains does not end when it has trained, until `released` is there.
set -o pipefail
{real} "$@" 2>&1 | tee -a {heard}
code=$?
if [ "$1" = train ] && mkdir {held} 2> /dev/null; then
    while [ ! -e {released} ]; do sleep 0.05; done
fi
exit $code
"""


def stand_before(workspace: Workspace, script: str, **values: Path) -> None:
    """Let a workspace run `script` as the command lowparam; `real` and `values` are filled in."""
    workspace.bin = workspace.folder.with_name("bin")
    workspace.bin.mkdir()
    command = workspace.bin / "lowparam"
    command.write_text(script.format(real=shutil.which("lowparam"), **values))
    command.chmod(0o755)


def hold(workspace: Workspace) -> tuple[Path, Path]:
    """Let the first job that trains wait when it has trained; return what tells that it does, and what ends that."""
    listen(workspace)
    beside = {name: workspace.folder.with_name(name) for name in ("heard", "held", "released")}
    shutil.rmtree(workspace.folder.with_name("bin"))
    stand_before(workspace, HOLDER, **beside)
    return beside["held"], beside["released"]


def listen(workspace: Workspace) -> None:
    """Let `epochs` read what the commands of a workspace print from here on."""
    heard = workspace.folder.with_name("heard")
    heard.touch()
    stand_before(workspace, LISTENER, heard=heard)


def epochs(workspace: Workspace) -> list[str]:
    """The runs of which epochs were trained, in order, one entry an epoch."""
    heard = workspace.folder.with_name("heard").read_text()
    return [f"{scale}/seed{seed}" for scale, seed in re.findall(r"^(\S+) seed (\d+) epoch", heard, re.MULTILINE)]
