"""Compute the interference profile of a network: every measure at every site, next to the untrained network's."""

from collections.abc import Callable, Mapping

import pandas as pd
from torch import Tensor, nn

from lowparam.data import Dataset, Streamed
from lowparam.errors import LowparamError
from lowparam.interference import figure_data as figures
from lowparam.interference import measures
from lowparam.interference.context import Context
from lowparam.interference.held_out import MeasuredImages, held_out
from lowparam.interference.measurement import COLUMNS, Value
from lowparam.models.blocks import Site
from lowparam.params import Profile

__all__ = ["measure_network", "profile_network", "profile_run"]

Sites = Callable[[nn.Module], Mapping[str, Site]]


def profile_run(
    net: nn.Module,
    dataset: Dataset | Streamed,
    settings: Profile,
    *,
    seed: int = 0,
    untrained: nn.Module | None = None,
    sites: Sites | None = None,
    figure_data: dict[str, Tensor] | None = None,
) -> pd.DataFrame:
    """Measure a network on the validation and test splits of a data set.

    See `profile_network` for the other parameters.

    Raises
    ------
    LowparamError
        As `profile_network`, and if there are no held-out images.
    """
    images = held_out(dataset, settings.images)
    return profile_network(net, images, settings, seed=seed, untrained=untrained, sites=sites, figure_data=figure_data)


def profile_network(
    net: nn.Module,
    images: MeasuredImages,
    settings: Profile,
    *,
    seed: int = 0,
    untrained: nn.Module | None = None,
    sites: Sites | None = None,
    figure_data: dict[str, Tensor] | None = None,
) -> pd.DataFrame:
    """Measure a network, and the untrained one next to it.

    Parameters
    ----------
    net : nn.Module
        Maps (N, C, H, W) to logits; is set to eval mode.
    images : MeasuredImages
        The images to measure on.
    settings : Profile
        Numbers of images, folds and draws, and which measures are added to the default ones.
    seed : int
        Seed of the pairs of channels. The draws behind nulls and the positions do not depend on it.
    untrained : nn.Module, optional
        The same network at its initialisation, its norms recalibrated (`lowparam.interference.norm_statistics`).
    sites : callable, optional
        Returns the sites of a network by name; ``net.sites()`` by default.
    figure_data : dict, optional
        Is filled with the arrays behind the figures (`lowparam.interference.figure_data`).

    Returns
    -------
    DataFrame
        A row for each value at each site, with the columns ``lowparam.interference.measurement.COLUMNS``. What is
        undefined is NaN, with the reason in ``note``.

    Raises
    ------
    LowparamError
        If the network has no sites.
    """
    sites = sites or (lambda network: network.sites())
    values, arrays = measure_network(net, sites(net), images, settings, seed=seed)
    frame = _frame(values)
    if untrained is not None:
        fewer, half = _without_intervals(settings), images.every_second()
        values, before = measure_network(untrained, sites(untrained), half, fewer, seed=seed)
        arrays |= {f"untrained/{key}": array for key, array in before.items()}
        column = _frame(values).set_index(["measure", "site"])["value"]
        frame["untrained"] = column.reindex(pd.MultiIndex.from_frame(frame[["measure", "site"]])).to_numpy()
    if figure_data is not None:
        figure_data |= arrays
    return frame


def _without_intervals(settings: Profile) -> Profile:
    """Return settings for a value without interval and null: fewer folds and draws, and half of the ``*_images``."""
    halved = {key: (value + 1) // 2 for key, value in settings if key.endswith("_images")}
    draws = max(10, settings.null_draws // 4)
    return settings.model_copy(update={"folds": 4, "null_draws": draws, **halved})


def measure_network(
    net: nn.Module, sites: Mapping[str, Site], images: MeasuredImages, settings: Profile, *, seed: int = 0
) -> tuple[list[Value], dict[str, Tensor]]:
    """Return all measures of one network, site by site, and the arrays behind its figures.

    The parameters are those of `profile_network`, and ``sites`` are those of the network, in the order of data.

    Raises
    ------
    LowparamError
        If it has none.
    """
    if not sites:
        raise LowparamError("the network names no site; there is nothing to profile")
    context = Context(net, sites, images, settings, seed=seed)
    values = [value for name in measures.names(settings) for value in measures.find(name).measure(context)]
    place = {name: rank for rank, name in enumerate(sites)}
    values.sort(key=lambda value: place.get(value.site, len(place)))  # stable: a site's measures keep their order
    return values, figures.gather(context)


def _frame(values: list[Value]) -> pd.DataFrame:
    return pd.DataFrame([value.row() for value in values], columns=list(COLUMNS))
