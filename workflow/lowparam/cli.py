"""The command line: every rule of the workflow is one of these commands, and a person can type each of them.

Libraries that are slow to import are imported inside the commands that need them.
"""

import difflib
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam.errors import LowparamError
from lowparam.params import Params, Scale

__all__ = ["app"]

app = typer.Typer(
    help="Train, profile and compare low-parameter vision networks. Reads params.yaml in the current folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Experiment = Annotated[str, typer.Argument(help="Name of an experiment in params.yaml.")]
Scales = Annotated[list[str], typer.Argument(help="Scales of the experiment, such as mobilenetv2-none-25k.")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; without it, cuda where there is one.")]


def command(function: Callable) -> Callable:
    """Register a command that ends a LowparamError in one line and exit code 1."""

    @app.command()
    @wraps(function)
    def guarded(*arguments, **options):
        try:
            return function(*arguments, **options)
        except LowparamError as error:
            print(f"lowparam: {error}", file=sys.stderr)
            raise typer.Exit(1) from None

    return guarded


@command
def check(
    experiments: Annotated[list[str] | None, typer.Argument(help="Names in params.yaml; all without it.")] = None,
    quiet: Annotated[bool, typer.Option(help="Say nothing if all is well.")] = False,
) -> None:
    """Check params.yaml, and that every architecture can have every budget, without running anything."""
    from lowparam.engine.check import check_scales

    params = parameters.load()
    names = experiments or list(params.experiments)
    check_scales(params, names)
    if not quiet:
        for name in names:
            scales, seeds = len(params.scales(name)), len(params.experiment(name).seeds)
            print(f"{name}: {scales} scales x {seeds} seeds = {scales * seeds} runs")


@command
def models(
    name: Annotated[str | None, typer.Argument(help="One network, such as mobilenetv2 or timm:resnet18.")] = None,
    budget: Annotated[str | None, typer.Option(help="Parameters in controlled mode, such as 100k.")] = None,
    classes: Annotated[int, typer.Option(min=1, help="Number of classes.")] = 10,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the images.")] = 3,
    size: Annotated[int, typer.Option(min=1, help="Height and width of the images in pixels.")] = 32,
    probe: Annotated[str, typer.Option(help="none, or where SoLU goes.")] = "none",
) -> None:
    """List the networks with their counts, or one layer by layer."""
    from lowparam.models import listing

    try:
        wanted = None if budget is None else parameters.parse_budget(budget)
    except ValueError as error:
        raise LowparamError(f"--budget: {error}") from None
    image = {"in_channels": channels, "size": size}
    if name is None:
        show(listing.networks(budget=wanted or 100_000, classes=classes, **image))
    else:
        net = listing.network(name, budget=wanted, classes=classes, probe=probe, **image)
        layers = listing.layers(net, **image)
        show(layers)
        print(f"{layers['parameters'].sum():,} parameters, {layers['macs'].sum():,} multiply-accumulates an image")


@command
def plan(
    experiment: Annotated[
        str | None, typer.Argument(help="Name of an experiment; without it, those that replicate runs.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Trainings beside each other.")] = 2,
) -> None:
    """Predict time and memory of the trainings of an experiment before anything runs."""
    from lowparam.engine import plans
    from lowparam.training.plan import plan, totals

    params = parameters.load()
    for name in [experiment] if experiment else params.replicate:
        table = plan(params, name)
        plans.keep(params, name, table)
        show(table.round({"images_per_second": 0, "seconds": 0, "memory_mb": 0}))
        total = totals(table, cores)
        print(
            f"{name}: {total['runs']} runs, {total['core_hours']:.1f} core hours, "
            f"about {60 * total['hours']:.0f} minutes on {cores} cores, {total['memory_mb']:,.0f} MB"
        )


@command
def schema() -> None:
    """Print the JSON schema of params.yaml, for editors."""
    print(parameters.schema())


@command
def prepare(name: Annotated[str, typer.Argument(help="Name of a data set in params.yaml.")]) -> None:
    """Read a data set, divide it, and store it in results/data."""
    from lowparam.data.prepare import prepare

    params = parameters.load()
    if name not in params.data:
        raise LowparamError(f"params.yaml has no data set {name!r}; it has {', '.join(params.data)}")
    prepare(name, params.data[name], data_folder(name))


@command
def baseline(experiment: Experiment) -> None:
    """Fit a logistic regression to the pixels, the accuracy that a network has to beat."""
    from lowparam.training.baseline import fit_baseline

    params = parameters.load()
    fit_baseline(data_folder(params.experiment(experiment).data), results(experiment) / "baseline.json")


@command
def train(
    experiment: Experiment,
    scales: Scales,
    device: Device = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that share streamed images; without it, one for each GPU.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", envvar="LOWPARAM_AGAIN", help="Train also what is trained; else it is kept.")
    ] = False,
) -> None:
    """Train all seeds of the scales; keeps what is trained and goes on where it was interrupted."""
    from lowparam.training.train import train as train_scales

    params = parameters.load()
    chosen = find_scales(params, experiment, scales)
    raise typer.Exit(train_scales(params, chosen, device=device, processes=processes, again=again))


@command
def profile(
    experiment: Annotated[str | None, typer.Argument(help="Name of an experiment in params.yaml.")] = None,
    scales: Annotated[list[str] | None, typer.Argument(help="Scales of the experiment.")] = None,
    model: Annotated[str | None, typer.Option(help="A network of timm instead, such as timm:mobilenetv2_050.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Its weights, a safetensors file.")] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Its weights from the Hugging Face hub.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of prepared data to look at it on.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write its profile to.")] = None,
    device: Device = None,
) -> None:
    """Measure superposition and interference in trained networks: scales of an experiment, or a network of timm."""
    if model is not None:
        if experiment is not None or data is None or out is None:
            raise LowparamError("--model needs --data and --out, and no experiment")
        from lowparam.interference.profile_timm import profile_model
        from lowparam.report.model_report import write_model_report

        profile_model(model, data, out, weights=weights, pretrained=pretrained, device=device)
        write_model_report(out, model, "trained" if weights or pretrained else "as initialised")
        return
    if experiment is None or not scales:
        raise LowparamError("name an experiment and its scales, or a network with --model")
    from lowparam.interference.profile import profile_scale

    params = parameters.load()
    for scale in find_scales(params, experiment, scales):
        folder = data_folder(params.experiment(experiment).data)
        profile_scale(params, scale, data_folder=folder, device=device)


@command
def collect(experiment: Experiment) -> None:
    """Gather all runs of an experiment into runs.csv; refuses a run that params.yaml does not describe."""
    from lowparam.collect import collect

    collect(parameters.load(), experiment)


@command
def claims(experiment: Annotated[str, typer.Argument(help="Name of an experiment in params.yaml, or star.")]) -> None:
    """Judge the papers' claims on an experiment, and write verdicts, tables, macros and figures."""
    from lowparam.report.claims import write_claim_report

    write_claim_report(parameters.load(), experiment)


@command
def page(experiment: Annotated[str, typer.Argument(help="Name of an experiment in params.yaml, or star.")]) -> None:
    """Write one HTML file with the verdicts, their evidence, the tables, the figures and the runs of an experiment."""
    from lowparam.report.pages.html_page import write_page

    write_page(parameters.load(), experiment)


@command
def overview() -> None:
    """Write results/claims.md: every claim over all experiments that were judged."""
    from lowparam.report.overview import write_overview

    write_overview(parameters.load())


@command
def paper() -> None:
    """Compile paper/paper.tex with the results of every experiment that was judged."""
    from lowparam.report.pages.paper import write_paper

    print(write_paper(parameters.load()))


@command
def tables(
    name: Annotated[str, typer.Argument(help="Name of an experiment in params.yaml, or of a study.")],
    only: Annotated[list[str] | None, typer.Argument(help="Names of tables; all by default.")] = None,
) -> None:
    """Write the tables of an experiment or study as LaTeX, Markdown and csv."""
    from lowparam.report.write import write_tables

    write_tables(parameters.load(), name, only=only or ())


@command
def figures(
    name: Annotated[str, typer.Argument(help="Name of an experiment in params.yaml, or of a study.")],
    only: Annotated[list[str] | None, typer.Argument(help="Names of figures; all by default.")] = None,
) -> None:
    """Draw the figures of an experiment or study as PDF and PNG."""
    from lowparam.report.write import write_figures

    write_figures(parameters.load(), name, only=only or ())


@command
def bilinear(experiment: Experiment) -> None:
    """Decompose the star blocks without activation of an experiment into eigenvectors."""
    from lowparam.studies.star.bilinear import write_bilinear

    params = parameters.load()
    write_bilinear(
        params,
        experiment,
        data_folder=data_folder(params.experiment(experiment).data),
        folder=results(experiment),
    )


@command
def study(
    name: Annotated[str | None, typer.Argument(help="Name of a study, such as star.")] = None,
    part: Annotated[str | None, typer.Argument(help="One part of it; all without it.")] = None,
) -> None:
    """Run a study, which needs no grid of trainings, or one part of it; without a name, list them."""
    from lowparam import studies

    if name is None:
        show([{"study": each.study, "part": each.name, "about": each.about} for each in studies.parts()])
        return
    found = studies.find(name)
    params = parameters.load()
    for each in found.parts if part is None else [found.part(part)]:
        each.run(params)


def show(table) -> None:
    """Print a table, numbers with thousands separated."""
    from tabulate import tabulate

    print(tabulate(table, headers="keys", showindex=False, intfmt=",", missingval=""))


def results(experiment: str) -> Path:
    """Folder of an experiment."""
    return Path("results", experiment)


def data_folder(name: str) -> Path:
    """Folder of a prepared data set."""
    return Path("results", "data", name)


def find_scales(params: Params, experiment: str, names: list[str]) -> list[Scale]:
    """Find scales of an experiment by name.

    Raises
    ------
    LowparamError
        If the experiment has no scale of that name; the message offers the nearest.
    """
    known = {scale.name: scale for scale in params.scales(experiment)}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
            raise LowparamError(f"experiment {experiment} has no scale {name}; {hint}")
    return [known[name] for name in names]


if __name__ == "__main__":
    app()
