"""Runs of the real Snakefile in folders of their own, on real digits and a grid that takes seconds."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def small_params() -> dict:
    """The project's own params.yaml, cut down to four scales of two short runs each."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["recipes"] = {"digits": params["recipes"]["digits"] | {"epochs": 3, "warmup_epochs": 1}}
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
    """A folder with a params.yaml, in which the workflow runs."""

    folder: Path
    snakefile: Path = ROOT / "Snakefile"

    def write(self, params: dict) -> None:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def read(self) -> dict:
        return yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command in the folder and return what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout[-6000:]
        return done.stdout

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        where = ("--snakefile", str(self.snakefile), "--directory", ".")
        return self.run("snakemake", *where, "--cores", "2", *arguments, fails=fails)

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Ask a dry run for the number of jobs by rule; empty if nothing is to be done."""
        output = self.snakemake("--dry-run", *arguments)
        if "Nothing to be done" in output:
            return {}
        table = output.partition("Job stats:")[2].partition("\n\n")[0].splitlines()[3:]
        return {line.split()[0]: int(line.split()[1]) for line in table if len(line.split()) == 2}

    def contents(self, pattern: str) -> dict[str, bytes]:
        """Files under results/digits that fit a pattern, by path."""
        base = self.folder / "results" / "digits"
        return {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.glob(pattern)) if path.is_file()}

    def copy(self, folder: Path) -> "Workspace":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workspace(folder, self.snakefile)
