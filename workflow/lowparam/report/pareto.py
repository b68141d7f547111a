"""Find the networks that no other beats at less cost."""

from collections.abc import Sequence

import numpy as np

__all__ = ["front"]


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
