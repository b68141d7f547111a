"""Commands that measure interference."""

from pathlib import Path
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import paths, prepared_data, registry
from lowparam.cli._app import Device, Experiment, Scales, command, find_scales
from lowparam.errors import LowparamError

GROUP = "Train and measure"


@command(GROUP)
def profile(experiment: Experiment, scales: Scales, device: Device = None) -> None:
    """Measure superposition and interference in the trained networks of an experiment."""
    params = parameters.load()
    if params.data[params.experiment(experiment).data].factors is None:
        from lowparam.interference.profile_scale import profile_scale
    else:
        from lowparam.interference.profile_known import profile_known as profile_scale

    for scale in find_scales(params, experiment, scales):
        profile_scale(params, scale, data_folder=prepared_data.folder_for(params, experiment), device=device)


@command(GROUP)
def inspect(
    model: Annotated[str, typer.Argument(help="A network of timm, such as timm:mobilenetv2_050.")],
    data: Annotated[Path, typer.Option(help="Folder of prepared data, such as results/data/digits.")],
    out: Annotated[Path, typer.Option(help="Folder to write the profile to.")],
    weights: Annotated[Path | None, typer.Option(help="Its weights, a safetensors file; random without.")] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Its weights from the Hugging Face hub.")] = False,
    device: Device = None,
) -> None:
    """Measure superposition and interference in any network of timm, trained or not."""
    from lowparam.interference.profile_timm import profile_timm
    from lowparam.report.model_report import write_model_report

    if not (data / "manifest.json").is_file():
        prepared = sorted(str(file.parent) for file in paths.DATA.glob("*/manifest.json"))
        advice = registry.nearest(str(data), prepared) if prepared else "run: lowparam prepare <name>"
        raise LowparamError(f"--data: {data} is no folder of prepared data; {advice}")
    trained = weights is not None or pretrained
    if not trained:
        print(f"{model} gets random weights; give --weights or --pretrained to measure a trained network", flush=True)
    profile_timm(model, data, out, weights=weights, pretrained=pretrained, device=device)
    write_model_report(out, model if trained else f"{model} with random weights", "trained" if trained else "random")


@command(GROUP)
def collect(experiment: Experiment) -> None:
    """Gather all runs of an experiment into runs.csv; refuse a run that params.yaml does not describe."""
    from lowparam.collect import collect

    collect(parameters.load(), experiment)
