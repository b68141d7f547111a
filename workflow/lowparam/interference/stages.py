"""Find the ends of the stages of a network."""

from collections.abc import Mapping

__all__ = ["stage_ends"]


def stage_ends(positions: Mapping[str, float]) -> list[str]:
    """Return the streams that a smaller map or the head follows.

    Parameters
    ----------
    positions : mapping of str to float
        Number of positions of the map of each stream, in the order of data.
    """
    following = [*positions.values(), 0][1:]
    return [site for (site, count), after in zip(positions.items(), following, strict=True) if after < count]
