"""Commands around Snakemake and DVC."""

import sys
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import registry
from lowparam.cli._app import command

GROUP = "Manage"


@command(GROUP, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context) -> None:
    """Run snakemake, with any of its arguments, after preparing the folder: `lowparam run digits -n`."""
    from lowparam.engine.start import run

    # Not context.args, from which a "--" is missing that snakemake needs.
    run(sys.argv[sys.argv.index("run") + 1 :] if "run" in sys.argv else context.args)


@command(GROUP)
def status() -> None:
    """Show the runs of each experiment, the disk they take, and what `dvc repro` would do."""
    from lowparam.engine.status import show_status

    show_status(parameters.load())


@command(GROUP)
def prune(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete results that nothing in params.yaml requires any more."""
    from lowparam.engine.prune import prune

    prune(parameters.load(), yes=yes)


@command(GROUP)
def build() -> None:
    """Compile the layers that make training on a CPU faster; without a compiler, print that and change nothing."""
    from lowparam.models.layers import compiled

    compiled.try_again()
    if compiled.build_once():
        print(f"the compiled layers are in {compiled.library()}")


@command(GROUP)
def record(
    stage: Annotated[str, typer.Argument(help="data, tune, train, profile, deploy or report.")],
    name: Annotated[str, typer.Argument(help="Name of an experiment, or of a data set if the stage is data.")],
) -> None:
    """Record how Snakemake made the results of a DVC stage; the stages call this."""
    from lowparam.engine import dvc_files, metadata_records

    params = parameters.load()
    registry.get(stage, dict.fromkeys(dvc_files.STAGES), "stage")
    if stage == "data":
        registry.get(name, params.data, "data set")
    else:
        params.experiment(name)
    dvc_files.check(params)
    metadata_records.save(stage, name)


@command(GROUP)
def fingerprint() -> None:
    """Write results/code.json: what the code of each phase means; the DVC stages depend on it."""
    from lowparam.engine.fingerprint import write_fingerprint

    write_fingerprint(parameters.load())


@command(GROUP, "dvc-files")
def dvc_files(
    experiments: Annotated[list[str] | None, typer.Argument(help="More experiments to record.")] = None,
) -> None:
    """Write dvc.yaml for the experiments under `replicate`, and results/<name>/dvc.yaml for others."""
    from lowparam.engine import dvc_files

    dvc_files.write(parameters.load(), *(experiments or ()))


@command(GROUP)
def progress() -> None:
    """Read Snakemake's output and print one line for each finished step, with the time left."""
    import signal

    from lowparam.engine.progress import follow

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Snakemake; this ends when its input ends
    for line in follow(sys.stdin):
        print(line, flush=True)
