"""Commands that train."""

from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import paths, prepared_data, registry, runs
from lowparam.cli._app import Device, Experiment, Scales, command, find_scales
from lowparam.errors import LowparamError


@command("Train and measure")
def tune(
    experiment: Experiment,
    families: Annotated[
        list[str], typer.Argument(help="Architectures with a probe, such as mobilenetv2-none.", metavar="FAMILIES...")
    ],
    device: Device = None,
) -> None:
    """Choose recipe values by validation accuracy, as `tune` of the experiment says; keep what is trained."""
    from lowparam.training.train import small_batches_named

    params = parameters.load()
    if params.experiment(experiment).tune is None:
        raise LowparamError(f"params.yaml: experiments.{experiment} has no tune; add tune: {{ lr: [...], ... }}")
    known = {scale.family: scale for scale in params.families(experiment)}
    chosen = [registry.get(name, known, f"architecture with a probe in {experiment}") for name in families]
    data_folder = prepared_data.folder_for(params, experiment)
    if params.data[params.experiment(experiment).data].factors is None:
        from lowparam.training.tune import tune as tune_family
    else:
        from lowparam.training.tune_known import tune_known as tune_family
    for scale in chosen:
        if runs.choice(params, scale) is not None:
            print(f"{paths.tuning(experiment, scale.family)} is up to date", flush=True)
            continue
        with small_batches_named(params.experiment(experiment).recipe):
            tune_family(params, scale, data_folder=data_folder, device=device)


@command("Train and measure")
def train(
    experiment: Experiment,
    scales: Scales,
    device: Device = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that share images on disk; by default one for each GPU.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Discard what is trained and train everything again."),
    ] = False,
) -> None:
    """Train all seeds of the scales; skip what is trained, resume what was interrupted."""
    from lowparam.engine import again as order
    from lowparam.training.train import train as train_scales

    params = parameters.load()
    chosen = find_scales(params, experiment, scales)
    raise typer.Exit(train_scales(params, chosen, device=device, processes=processes, again=again or order.is_given()))
