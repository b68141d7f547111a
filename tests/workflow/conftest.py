import pytest

from workspace import Workspace, small_params


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workspace:
    """The small grid, run once to the end by snakemake. Tests that change it work on a copy."""
    workspace = Workspace.of_this_repository(tmp_path_factory.mktemp("finished") / "w")
    workspace.write(small_params())
    workspace.snakemake()
    return workspace


@pytest.fixture
def workspace(finished, tmp_path) -> Workspace:
    """A copy of the finished grid, times of files and all."""
    return finished.copy(tmp_path / "w")


@pytest.fixture(scope="session")
def recorded(finished, tmp_path_factory) -> Workspace:
    """The finished grid, recorded by dvc repro and pushed to a remote, all committed."""
    folder = tmp_path_factory.mktemp("recorded")
    workspace = finished.copy(folder / "w")
    output = workspace.run("dvc", "repro")
    assert output.count("Nothing to be done") == 4, "dvc repro after snakemake must not make anything"
    workspace.run("dvc", "remote", "add", "--default", "storage", str(folder / "storage"))
    workspace.run("dvc", "push", "--quiet")
    workspace.commit()
    return workspace
