"""Commands that measure interference."""

from pathlib import Path
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import paths, prepared_data, registry
from lowparam.cli._app import Device, Experiment, Network, Pretrained, Scales, Weights, command, find_scales, show
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
    pretrained: Pretrained = False,
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
def explain(
    run: Network,
    out: Annotated[Path, typer.Option(help="Folder to write to; each network gets a folder in it.")] = Path(
        "explained"
    ),
    data: Annotated[
        Path | None, typer.Option(help="Folder of prepared data; by default that of the run's own data.")
    ] = None,
    weights: Weights = None,
    pretrained: Pretrained = False,
) -> None:
    """Draw what a network looks at and what its maps keep, on one page, with a check by shuffled weights."""
    from lowparam.explanations import attributions, packages

    for name in attributions.names():
        if package := registry.constants(attributions.FOLDER, name).get("PACKAGE"):
            packages.need(package)
    from lowparam.deploy import subject
    from lowparam.explanations.network import explain_network, of_dataset
    from lowparam.report.explanation import write_explanation

    found = subject.find(run, data_folder=data, weights=weights, pretrained=pretrained)
    explained = explain_network(found.model, of_dataset(found.dataset, mean=found.mean, std=found.std))
    write_explanation(out / found.name, found.name, explained)
    show(explained.scores.round(3))
    for note in explained.notes:
        print(note)
    print(f"{out / found.name / 'page.png'}; near 1 under same_if_shuffled, a method shows nothing of the network")


@command(GROUP)
def collect(experiment: Experiment) -> None:
    """Gather all runs of an experiment into runs.csv; refuse a run that params.yaml does not describe."""
    from lowparam.collect import collect

    collect(parameters.load(), experiment)
