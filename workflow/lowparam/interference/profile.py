"""The interference profile of a network: every measure at every site, beside the same for the untrained network."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lowparam import data
from lowparam.data import Dataset, Streamed
from lowparam.errors import LowparamError
from lowparam.files import write_text
from lowparam.interference import figure_data
from lowparam.interference.measurement import COLUMNS, Value
from lowparam.interference.measures import (
    branch_products,
    capacity_used,
    channel_pairs,
    class_cross_talk,
    class_selectivity,
    constructive_interference,
    dimensionality,
    gradient_conflict,
    position_similarity,
    sparse_features,
)
from lowparam.interference.one_pass import HeldOut, Statistics, collect, held_out, pixels_of
from lowparam.models.blocks import Site
from lowparam.models.build import load_weights, network_for
from lowparam.models.layers.fast import accelerate
from lowparam.params import Params, Profile, Run, Scale, run_spec

__all__ = ["measure_network", "profile_run", "profile_scale", "recalibrate", "summary"]

HALVED = ("ablation_images", "gradient_images", "steering_images")
"""Settings of which half serves for the untrained network, as it gets no interval."""

SAE = ("sae_features", "sae_agreement", "sae_sparsity_gain")
"""Measures of the autoencoders that a summary has, if they were trained."""

KINDS = {
    "projection": ["projection", "reduction"],
    "expansion": ["expansion", "branch"],
    "join": ["product", "sum"],
}
"""Kinds of sites that a summary takes together."""


def profile_scale(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path | str,
    results: Path | str | None = None,
    out: Path | str | None = None,
    device: str | None = None,
) -> None:
    """Profile all seeds of a scale and write each one's ``seed<k>.csv``, of the first also ``seed<k>.safetensors``.

    Parameters
    ----------
    params : Params
        The experiments; the settings are ``experiments.<name>.profile``.
    scale : Scale
        Whose runs, already trained.
    data_folder : Path
        Prepared data.
    results : Path, optional
        Folder of the scale, ``scale.folder`` by default.
    out : Path, optional
        Folder to write to, ``scale.profiles`` by default.
    device : str, optional
        A GPU where there is one, by default.

    Raises
    ------
    LowparamError
        If data or weights are missing, damaged, or of another network.
    """
    results = Path(results) if results is not None else scale.folder
    out = Path(out) if out is not None else scale.profiles
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    experiment = params.experiment(scale.experiment)
    dataset = data.load(data_folder)
    shape = {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}
    for seed in experiment.seeds:
        torch.manual_seed(seed)
        untrained = network_for(run_spec(params, Run(scale, seed)), **shape).to(device)
        if device == "cpu":
            accelerate(untrained)
        net = copy.deepcopy(untrained)
        load_weights(net, results / f"seed{seed}" / "model.safetensors")
        recalibrate(untrained, dataset)
        kept: dict[str, Tensor] = {}
        profile = profile_run(net, dataset, experiment.profile, seed=seed, untrained=untrained, kept=kept)
        if seed == experiment.seeds[0]:
            figure_data.write(out / f"seed{seed}.safetensors", kept, classes=dataset.classes)
        write_text(out / f"seed{seed}.csv", profile.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def recalibrate(net: nn.Module, dataset: Dataset | Streamed, most: int = 256) -> None:
    """Set the statistics of all batch norms to those of at most `most` training images; nothing else changes."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not norms:
        return
    device = next(net.parameters()).device
    momenta = [norm.momentum for norm in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    count = len(dataset.train)
    rows = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))
    with torch.no_grad():
        for batch in np.array_split(rows, max(1, len(rows) // 256)):
            x = dataset.normalise(pixels_of(dataset, dataset.train, batch)).to(device)
            net(x.contiguous(memory_format=torch.channels_last))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()


def profile_run(
    net: nn.Module,
    dataset: Dataset | Streamed,
    settings: Profile,
    *,
    seed: int = 0,
    untrained: nn.Module | None = None,
    sites: Callable[[nn.Module], Mapping[str, Site]] | None = None,
    kept: dict[str, Tensor] | None = None,
) -> pd.DataFrame:
    """Measure a network, and the untrained one beside it.

    Parameters
    ----------
    net : nn.Module
        Maps (N, C, H, W) to logits; is set to eval mode.
    dataset : Dataset or Streamed
        Validation and test part are looked at.
    settings : Profile
        How.
    seed : int
        Of what is drawn: pairs of channels. The draws behind nulls and the positions do not depend on it.
    untrained : nn.Module, optional
        The same network at its initialisation, its norms recalibrated (`recalibrate`).
    sites : callable, optional
        Gives the sites of a network by name; ``net.sites()`` by default.
    kept : dict, optional
        Is filled with the arrays behind the figures (`arrays`).

    Returns
    -------
    DataFrame
        A row for each measure at each site, with the columns ``lowparam.interference.measurement.COLUMNS``. What is
        undefined is NaN, with the reason in ``note``.

    Raises
    ------
    LowparamError
        If the network has no sites, or none with a pointwise layer, or there are no held-out images.
    """
    sites = sites or (lambda network: network.sites())
    images = held_out(dataset, settings.images)
    values, found = measure_network(net, sites(net), images, settings, seed=seed)
    frame = _frame(values)
    if untrained is not None:
        # A value without interval and null needs fewer images, folds and draws, and this is half of the work.
        some = HeldOut(dataset, images.rows[::2], images.labels[::2])
        fewer = settings.model_copy(
            update={
                "folds": 4,
                "null_draws": max(10, settings.null_draws // 4),
                **{key: (getattr(settings, key) + 1) // 2 for key in HALVED},
            }
        )
        values, others = measure_network(untrained, sites(untrained), some, fewer, seed=seed)
        found |= {f"untrained/{key}": array for key, array in others.items()}
        before = _frame(values).set_index(["measure", "site"])["value"]
        frame["untrained"] = before.reindex(pd.MultiIndex.from_frame(frame[["measure", "site"]])).to_numpy()
    if kept is not None:
        kept |= found
    return frame


def measure_network(
    net: nn.Module, sites: Mapping[str, Site], images: HeldOut, settings: Profile, *, seed: int = 0
) -> tuple[list[Value], dict[str, Tensor]]:
    """All measures of one network, site by site, and the arrays behind its figures (`arrays`).

    The parameters are those of `profile_run`.
    """
    if not any(site.pointwise is not None for site in sites.values()):
        raise LowparamError("the network names no site with a pointwise layer; there is no interference to profile")
    classes = len(images.dataset.classes)
    device = next(net.parameters()).device
    statistics = collect(net, sites, images, classes=classes, positions=settings.positions, folds=settings.folds)
    conflicts = {}
    if settings.gradient_images:
        conflicts = gradient_conflict.measure(
            net,
            sites,
            images,
            per_class=settings.gradient_images,
            most_classes=settings.steering_classes,
            folds=settings.folds,
            draws=settings.null_draws,
            device=device,
        )
    ends = _stage_ends({name: pooled.positions for name, pooled in statistics.pooled.items()})
    values, effects = [], {}
    for name, site in sites.items():
        values += _one_pass(name, site, statistics, settings)
        if site.factors:
            branches = [n for n, other in sites.items() if any(other.pointwise is layer for layer in site.factors)]
            maps = [statistics.outputs.get(branch) for branch in branches]
            values += branch_products.measure_independence(name, site, maps, statistics.outputs.get(name))
        values += conflicts.get(name, [])
        pooled = statistics.pooled.get(name)
        if site.kind == "stream":
            found, effect = class_cross_talk.measure(
                net,
                name,
                site,
                pooled,
                images,
                count=settings.steering_images,
                most_classes=settings.steering_classes,
                folds=settings.folds,
                draws=settings.null_draws,
                device=device,
            )
            values += found
            if effect is not None:
                effects[name] = effect
        if name in ends and settings.ablation_pairs:
            values += channel_pairs.measure(
                net,
                name,
                site,
                pooled,
                images,
                pairs=settings.ablation_pairs,
                count=settings.ablation_images,
                folds=settings.folds,
                seed=seed,
                device=device,
            )
    for name in figure_data.at_ends(sites, ends) if "sparse_features" in settings.measures else []:
        vectors = sparse_features.sample(net, sites[name], images, settings.positions, device)
        values += sparse_features.measure(name, sites[name], vectors, steps=settings.sae_steps)
    return values, figure_data.gather(sites, ends, statistics, effects)


def _one_pass(name: str, site: Site, statistics: Statistics, settings: Profile) -> list[Value]:
    """What the sums of the one pass give at a site."""
    values = []
    if site.pointwise is not None:
        inputs = statistics.inputs.get(name)
        values += dimensionality.measure(name, site, inputs, draws=settings.null_draws)
        values += constructive_interference.measure(name, site, inputs)
    values += branch_products.measure(name, site, statistics.inputs.get(name), draws=settings.null_draws)
    values += capacity_used.measure(name, site, statistics.outputs.get(name))
    if site.kind == "stream":
        pooled = statistics.pooled.get(name)
        if pooled is not None:
            values.append(Value("stride", name, site.kind, value=pooled.stride, n=pooled.positions))
        values += class_selectivity.measure(name, site, pooled)
        values += position_similarity.measure(name, site, pooled)
    return values


def _frame(values: list[Value]) -> pd.DataFrame:
    return pd.DataFrame([value.row() for value in values], columns=list(COLUMNS))


def summary(profile: pd.DataFrame) -> dict[str, float]:
    """Condense a profile into the few numbers that stand beside a run's accuracy.

    Parameters
    ----------
    profile : DataFrame
        What `profile_run` returns, or its csv.

    Returns
    -------
    dict of str to float
        NaN where nothing is defined.

        - ``dimensionality_projection``: mean D of projections. ``forced_projection``: the same of random directions of
          the same norms, which is what the shapes force.
        - ``r_projection``: mean ratio r of projections in blocks that do not stride; the primary score. A reduction,
          as in the sandglass, counts as a projection: it also writes many channels into few.
        - ``r_projection_untrained``: the same before training. ``r_projection_null_sd``: deviation of that mean if
          all directions were random.
        - ``r_expansion``: mean r of expansions, and of branches that are joined.
        - ``dimensionality_join``, ``r_join``, ``log_ci_join``, ``capacity_used_join``: means over the maps that are
          the product or the sum of two branches.
        - ``quadratic_share``: mean over products. ``lift_join``: participation ratio of the joined map over that of
          the map that its branches read, in dimensions; mean over blocks.
        - ``chi_stages``: mean chi at the last block of each stage; the second score.
        - ``chi_last``: chi at the last block. ``chi_last_untrained``: the same before training.
        - ``log_ci_projection``: mean log CI of projections.
        - ``capacity_used``: mean capacity used of the streams, as a share of the channels.
        - ``position_similarity``, ``class_selectivity``: means over streams.
        - ``ablation_interaction``, ``gradient_cosine``, ``gradient_conflict``: means over the sites that have them.
        - ``dead_directions``: how many directions of all pointwise layers are dead.
        - ``sae_features``, ``sae_agreement``, ``sae_sparsity_gain``: means, if autoencoders were trained.
    """
    table = profile.set_index(["measure", "site"])
    streams = profile.loc[profile["measure"] == "chi", "site"].tolist()
    rows = profile.loc[profile["measure"] == "stride"]
    striding = tuple(site.removesuffix("stream") for site in rows.loc[rows["value"] > 1, "site"])
    straight = ~profile["site"].str.startswith(striding)
    ends = _stage_ends(dict(zip(rows["site"], rows["n"], strict=True)))

    def chosen(measure: str, kind: str | None, rows: pd.Series | None) -> pd.Series:
        found = profile["measure"] == measure
        if kind is not None:
            found &= profile["kind"].isin(KINDS.get(kind, [kind]))
        return found if rows is None else found & rows

    def mean(measure: str, kind: str | None = None, rows: pd.Series | None = None, column: str = "value") -> float:
        return float(profile.loc[chosen(measure, kind, rows), column].mean())

    def null_sd(measure: str, kind: str, rows: pd.Series) -> float:
        """Deviation of a mean over sites whose nulls are drawn independently."""
        each = profile.loc[chosen(measure, kind, rows), "null_sd"]
        return float(np.sqrt((each**2).sum()) / len(each)) if len(each) else float("nan")

    def at(measure: str, site: str | None, column: str = "value") -> float:
        return float(table.loc[(measure, site), column]) if (measure, site) in table.index else float("nan")

    def effective(*kinds: str) -> pd.Series:
        """Participation ratio of the first map of these kinds in each block, in dimensions."""
        rows = profile[(profile["measure"] == "capacity_used") & profile["kind"].isin(kinds)]
        return (rows["value"] * rows["n"]).groupby(rows["site"].str.rsplit(".", n=1).str[0], sort=False).first()

    last = streams[-1] if streams else None
    return {
        "dimensionality_projection": mean("dimensionality", "projection"),
        "forced_projection": mean("dimensionality", "projection", column="null"),
        "r_projection": mean("dimensionality_ratio", "projection", straight),
        "r_projection_untrained": mean("dimensionality_ratio", "projection", straight, "untrained"),
        "r_projection_null_sd": null_sd("dimensionality_ratio", "projection", straight),
        "r_expansion": mean("dimensionality_ratio", "expansion"),
        "dimensionality_join": mean("dimensionality", "join"),
        "r_join": mean("dimensionality_ratio", "join"),
        "log_ci_join": mean("log_ci", "join"),
        "capacity_used_join": mean("capacity_used", "join"),
        "quadratic_share": mean("quadratic_share"),
        "lift_join": float((effective(*KINDS["join"]) / effective("spatial")).mean()),
        "chi_stages": mean("chi", "stream", profile["site"].isin(ends)),
        "chi_last": at("chi", last),
        "chi_last_untrained": at("chi", last, "untrained"),
        "log_ci_projection": mean("log_ci", "projection"),
        "capacity_used": mean("capacity_used", "stream"),
        "position_similarity": mean("position_similarity", "stream"),
        "class_selectivity": mean("class_selectivity", "stream"),
        **{measure: mean(measure) for measure in ("ablation_interaction", "gradient_cosine", "gradient_conflict")},
        "dead_directions": float(profile.loc[profile["measure"] == "dead_directions", "value"].sum()),
        **{measure: mean(measure) for measure in SAE if measure in set(profile["measure"])},
    }


def _stage_ends(positions: Mapping[str, float]) -> list[str]:
    """Names of the streams that a smaller map or the head follows, from their positions in the order of data."""
    following = [*positions.values(), 0][1:]
    return [site for (site, now), after in zip(positions.items(), following, strict=True) if after < now]
