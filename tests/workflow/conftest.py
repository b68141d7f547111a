import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from workspace import Workspace, small_params


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Workspace]:
    """Make a workspace once for all processes that run tests (`make test` starts one for each core)."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], None]) -> Workspace:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                folder.mkdir()  # fails if another process failed here, which has said why
                make(folder)
                done.touch()
        return Workspace(folder / "w")

    return made


@pytest.fixture(scope="session")
def finished(once) -> Workspace:
    """The small grid, run once to the end by snakemake. Tests that change it work on a copy."""

    def make(folder: Path) -> None:
        workspace = Workspace.of_this_repository(folder / "w")
        workspace.write(small_params())
        workspace.run("lowparam", "dvc-files")  # the stages of the small grid, which does not tune
        workspace.snakemake()

    return once("finished", make)


@pytest.fixture
def workspace(finished, tmp_path) -> Workspace:
    """A copy of the finished grid, times of files and all."""
    return finished.copy(tmp_path / "w")


@pytest.fixture(scope="session")
def recorded(finished, once) -> Workspace:
    """The finished grid, recorded by dvc repro and pushed to a remote, all committed."""

    def make(folder: Path) -> None:
        workspace = finished.copy(folder / "w")
        output = workspace.run("dvc", "repro")
        assert output.count("Nothing to be done") == 4, "dvc repro after snakemake must not make anything"
        workspace.run("dvc", "remote", "add", "--default", "storage", str(folder / "storage"))
        workspace.run("dvc", "push", "--quiet")
        workspace.commit()

    return once("recorded", make)
