"""Commands that check the settings and networks before anything runs."""

import sys
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import prepared_data, registry
from lowparam.cli._app import command, show
from lowparam.errors import LowparamError

GROUP = "Look before you run"


@command(GROUP)
def check(
    experiments: Annotated[list[str] | None, typer.Argument(help="Names in params.yaml; all without it.")] = None,
    quiet: Annotated[bool, typer.Option(help="Print nothing if everything is right.")] = False,
) -> None:
    """Check params.yaml, and that every architecture can have every budget, without running anything."""
    from lowparam.engine.check import check_scales
    from lowparam.engine.rule_names import check_names

    params = parameters.load()
    names = experiments or list(params.experiments)
    check_names(params)
    check_scales(params, names)
    if not quiet:
        for data in dict.fromkeys(params.experiment(name).data for name in names):
            if difference := prepared_data.find_difference(params, data):
                print(difference)
        for name in names:
            scales, seeds = len(params.scales(name)), len(params.experiment(name).seeds)
            print(f"{name}: {scales} scales x {seeds} seeds = {scales * seeds} runs")


@command(GROUP)
def plan(
    experiment: Annotated[
        str | None, typer.Argument(help="Name of an experiment; by default those listed under replicate.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Trainings at the same time.")] = 2,
    write: Annotated[bool, typer.Option("--write", help="Write docs/experiments.md, about all experiments.")] = False,
    power: Annotated[
        str | None, typer.Option(metavar="CLAIM", help="Say from recorded results how many seeds a claim needs.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time a few steps of each network here, in place of predicting them.")
    ] = False,
) -> None:
    """Predict time and memory of an experiment before anything runs: trainings, profiles and the report."""
    params = parameters.load()
    if power is not None:
        _power(params, power, experiment)
        return
    from lowparam.engine import experiment_table, plans
    from lowparam.training.plan import plan, totals

    if write:
        experiment_table.write_page(params)
        return
    for name in [experiment] if experiment else params.replicate:
        table = plan(params, name, measure=measure)
        plans.keep(params, name, table)
        show(table.round({"images_per_second": 0, "seconds": 0, "memory_mb": 0}))
        deploy = params.experiment(name).deploy
        total, trials = totals(plans.with_profiles(table, deploy=deploy), cores), plans.trials(table)
        exports = " and exports" if deploy else ""
        tuning = f"{trials} trials of tuning, " if trials else ""
        print(
            f"{name}: {tuning}{total['runs'] - trials} runs, as many profiles{exports} and a report, "
            f"{total['core_hours']:.1f} core hours, about {60 * total['hours']:.0f} minutes on {cores} cores, "
            f"{total['memory_mb']:,.0f} MB"
        )


def _power(params: parameters.Params, claim: str, experiment: str | None) -> None:
    """Print how many replicates the tests of a claim have and need, on one experiment or on all."""
    from lowparam.claims.registry import load_registry
    from lowparam.claims.subjects import subject
    from lowparam.report.verdicts.overview import read_verdicts
    from lowparam.report.verdicts.power import needed

    verdicts = read_verdicts(params)
    if experiment:
        verdicts = verdicts[verdicts["experiment"] == subject(params, experiment).name]
    table = needed(verdicts, load_registry(), claim)
    if table.empty:
        where = experiment or "any experiment"
        raise LowparamError(f"no test of {claim} has results on {where} yet; results/claims.md names what would run it")
    show(table)
    print(
        "detects: the smallest effect beyond the margin that is found 4 times in 5; of a crossing, the lead or its "
        "change per doubling, in points.\n"
        "needs: how many of what `has` counts would settle the question 4 times in 5 if the effect is as estimated."
    )


@command(GROUP)
def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Networks, such as mobilenetv2, timm:resnet18 or 'starnet*'; one is shown by its layers."),
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Parameters in controlled mode, such as 100k.")] = None,
    classes: Annotated[int, typer.Option(min=1, help="Number of classes.")] = 10,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the images.")] = 3,
    size: Annotated[int, typer.Option(min=1, help="Height and width of the images in pixels.")] = 32,
    probe: Annotated[str, typer.Option(help="none, or a probe such as solu_s1.")] = "none",
    below: Annotated[str | None, typer.Option(help="List those with fewer parameters, such as 100k.")] = None,
    sort: Annotated[
        str | None, typer.Option(help="Sort the list by name, parameters, macs, ram, flash or another column.")
    ] = None,
) -> None:
    """List the networks with their counts, or one layer by layer."""
    from lowparam.models import listing

    wanted, most = _count("--budget", budget), _count("--below", below)
    column = None if sort is None else _column(sort, listing.COLUMNS)
    image = {"in_channels": channels, "size": size}
    found = listing.find(names or ())
    if names and found == names and len(found) == 1 and most is None and column is None:
        net = listing.network(found[0], budget=wanted, classes=classes, probe=probe, **image)
        layers = listing.layers(net, **image)
        show(layers)
        print(f"{layers['parameters'].sum():,} parameters, {layers['macs'].sum():,} multiply-accumulates an image")
        return
    left_out: dict[str, str] = {}
    table = listing.networks(
        budget=wanted or 100_000,
        classes=classes,
        probe=probe,
        names=found,
        below=most,
        left_out=None if names and found == names else left_out,
        **image,
    )
    if column is not None:
        table = table.sort_values(column, kind="stable")
    if len(table):
        show(table)
    if left_out:
        first = next(iter(left_out.values()))
        print(f"lowparam: {len(left_out)} networks are left out, the first because {first}", file=sys.stderr)
    if table.empty:
        raise LowparamError("no network is like this" + (f"; none has fewer than {below} parameters" if below else ""))


SHORT = {"name": "network", "ram": "peak_activation_bytes", "flash": "weight_bytes"}
"""Short names of columns."""


def _count(option: str, given: str | None) -> int | None:
    try:
        return None if given is None else parameters.parse_budget(given)
    except ValueError as error:
        raise LowparamError(f"{option}: {error}") from None


def _column(key: str, columns: list[str]) -> str:
    """Return the column that somebody sorts by."""
    column = SHORT.get(key, key)
    if column not in columns:
        raise LowparamError(f"--sort: no column {key!r}; {registry.nearest(key, [*SHORT, *columns])}")
    return column
