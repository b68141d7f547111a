"""Commands that take a network to a device or to other code."""

from pathlib import Path
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import prepared_data, registry
from lowparam.cli._app import Experiment, Network, Pretrained, Scales, Weights, command, find_scales, show
from lowparam.errors import LowparamError

GROUP = "Take it home"

Data = Annotated[
    Path | None, typer.Option(help="Folder of prepared data to check on; by default that of the run's own data.")
]


@command(GROUP)
def export(
    run: Network,
    to: Annotated[str, typer.Option(help="onnx, onnx-int8 or torch (a program that loads without lowparam).")] = "onnx",
    out: Annotated[Path, typer.Option(help="Folder to write to, or a file with the suffix of the format.")] = Path(
        "exported"
    ),
    data: Data = None,
    weights: Weights = None,
    pretrained: Pretrained = False,
) -> None:
    """Write a trained network for another runtime, and check the file against torch on the test images."""
    from lowparam.deploy import packages, subject
    from lowparam.deploy.export import CALIBRATION, FORMATS, MOST_IMAGES
    from lowparam.deploy.export import export as write
    from lowparam.deploy.images import inputs_of

    suffix = registry.get(to, FORMATS, "format of --to")
    if to != "torch":
        packages.need("onnx", "onnxscript", "onnxruntime")
    found = subject.find(run, data_folder=data, weights=weights, pretrained=pretrained)
    path = out if out.suffix == f".{suffix.rpartition('.')[2]}" else out / f"{found.name}{suffix}"
    normal = {"mean": found.mean, "std": found.std}
    checked = write(
        found.model,
        path,
        to,
        test=inputs_of(found.dataset, "test", MOST_IMAGES, **normal),
        calibration=inputs_of(found.dataset, "validation", CALIBRATION, **normal) if to == "onnx-int8" else None,
        about=found.about,
        name=found.name,
    )
    print(
        f"{path}: {checked['bytes'] / 1000:,.1f} kB; on {checked['images']:,} test images: "
        f"largest difference of a logit from torch {checked['largest_difference']:.2g} "
        f"(largest logit {checked['largest_logit']:.3g}), same prediction on {checked['same_predictions']:,}, "
        f"accuracy {checked['accuracy']:.2%} (torch {checked['accuracy_torch']:.2%})"
    )


@command(GROUP)
def bench(
    run: Network,
    repeats: Annotated[int, typer.Option(min=10, help="Images that are timed, one at a time.")] = 300,
    out: Annotated[Path | None, typer.Option(help="File to write the numbers to, as JSON.")] = None,
    data: Data = None,
    weights: Weights = None,
    pretrained: Pretrained = False,
) -> None:
    """Measure latency, flash, RAM and multiply-accumulates of a trained network, with 32 and with 8 bits."""
    from lowparam.deploy import packages, subject
    from lowparam.deploy.bench import RUNTIMES
    from lowparam.deploy.bench import bench as measure
    from lowparam.deploy.export import CALIBRATION, MOST_IMAGES
    from lowparam.deploy.images import inputs_of
    from lowparam.files import write_json

    packages.need("onnx", "onnxscript", "onnxruntime")
    found = subject.find(run, data_folder=data, weights=weights, pretrained=pretrained)
    normal = {"mean": found.mean, "std": found.std}
    measured = measure(
        found.model,
        test=inputs_of(found.dataset, "test", MOST_IMAGES, **normal),
        calibration=inputs_of(found.dataset, "validation", CALIBRATION, **normal),
        name=found.name,
        repeats=repeats,
    )
    if out is not None:
        write_json(out, {"name": found.name, **measured})
    rows = []
    for key, label in RUNTIMES.items():
        times, eight = measured["runtimes"][key], "_int8" if key == "onnx-int8" else ""
        rows.append(
            {
                "runtime": label,
                "median (ms)": f"{times['median_ms']:.3f}",
                "95 % (ms)": f"{times['p95_ms']:.3f}",
                "accuracy": f"{times['accuracy']:.2%}",
                "flash (B)": measured[f"weight_bytes{eight}"],
                "RAM, live tensors (B)": measured[f"peak_activation_bytes{eight}"],
                "RAM, arena (B)": measured[f"arena_bytes{eight}"],
            }
        )
    show(rows)
    print(f"{found.name}: {measured['parameters']:,} parameters, {measured['macs']:,} multiply-accumulates an image")


@command("Train and measure")
def deploy(experiment: Experiment, scales: Scales) -> None:
    """Export the trained networks of an experiment with 32 and 8 bits, and measure what a device needs for them."""
    from lowparam.deploy.measure import measure_scale

    params = parameters.load()
    if not params.experiment(experiment).deploy:
        raise LowparamError(f"params.yaml: experiments.{experiment} has no deploy; add deploy: true")
    for scale in find_scales(params, experiment, scales):
        measure_scale(params, scale, data_folder=prepared_data.folder_for(params, experiment))


@command(GROUP)
def recommend(
    data: Annotated[Path, typer.Option(help="Your images, a folder for each class; or a folder of prepared data.")],
    flash: Annotated[str, typer.Option(help="Memory for weights, such as 100kB.")],
    ram: Annotated[str, typer.Option(help="Memory for activations, such as 64kB.")],
    size: Annotated[int | None, typer.Option(min=8, help="Pixels a side that networks shall see.")] = None,
    bits: Annotated[int, typer.Option(help="8 or 32, of weights and activations.")] = 8,
    experiment: Annotated[str | None, typer.Option(help="Whose results count; by default the most similar.")] = None,
) -> None:
    """Choose architectures that fit a device, from what was recorded here, and tell how to train them."""
    from lowparam.deploy import recommend as choice

    params = parameters.load()
    limits = {"flash": choice.parse_bytes("--flash", flash), "ram": choice.parse_bytes("--ram", ram)}
    if bits not in (8, 32):
        raise LowparamError(f"--bits must be 8 or 32, not {bits}")
    shape, classes, channels = choice.shape_of(data, size)
    known = choice.recorded(params)
    name = experiment or choice.nearest(known, classes, channels, None if shape is None else shape.size)
    of = registry.get(name, known, "experiment with results")
    given = shape or choice.Shape(classes, channels, of.size)
    best = choice.best(params, name, given, **limits, bits=bits)
    if unlike := choice.differences(given, of):
        print(f"the results of {name} are of other images than yours: {', '.join(unlike)}; take the order as a hint")
    percent = best["test_accuracy"].map("{:.1%}".format)
    show(best.assign(test_accuracy=percent).rename(columns={"flash": "flash (B)", "ram": "RAM (B)"}))
    print(f"accuracies are those of {name}; memory is for {given.classes} classes at {given.size} pixels, {bits} bits")
    print("to train them on your images, add to params.yaml:")
    print(choice.entries("mine", data, given, params.experiment(name).recipe, best))
    print("and run: lowparam run mine")
