"""Find the networks that no other beats at less cost."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = ["front", "front_letters"]


def front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Return the Pareto front: the points that no other beats, by being better or cheaper and as good at the other.

    Parameters
    ----------
    costs, values : sequence of float
        Less cost and more value are better. A point with a missing number (NaN) is on no front.

    Returns
    -------
    list of int
        Positions of the points, by rising cost. Of equal points it has the first.
    """
    known = [place for place in range(len(costs)) if np.isfinite(costs[place]) and np.isfinite(values[place])]
    found: list[int] = []
    for place in sorted(known, key=lambda place: (costs[place], -values[place], place)):
        if not found or values[place] > values[found[-1]]:
            found.append(place)
    return found


def front_letters(
    costs: pd.DataFrame, accuracy: pd.Series, letters: Mapping[str, str], untrained: Collection[tuple]
) -> dict[tuple, str]:
    """Return for each network the letters of the fronts that it is on.

    Parameters
    ----------
    costs : pandas.DataFrame
        One row for each network, with the columns that ``letters`` names.
    accuracy : pandas.Series
        Of the same networks.
    letters : dict of str to str
        The letter of the front over each cost.
    untrained : collection of tuple
        Networks that are on no front.
    """
    fair = [np.nan if key in untrained else value for key, value in accuracy.reindex(costs.index).items()]
    on = {letter: set(front(costs[cost].tolist(), fair)) for cost, letter in letters.items()}
    return {
        key: "".join(letter for letter, members in on.items() if place in members)
        for place, key in enumerate(costs.index)
    }
