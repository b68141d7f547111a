"""Commands that train."""

from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam.cli._app import Device, Experiment, Scales, command, find_scales


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
