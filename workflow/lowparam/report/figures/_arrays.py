"""Find what the figures of a profile show among the arrays that profiling keeps."""

from collections.abc import Mapping

from torch import Tensor

__all__ = ["COLOURS", "UNTRAINED", "last", "place", "sites"]

UNTRAINED = "tab:gray"
COLOURS = ("tab:blue", "tab:red", "tab:green", "tab:purple")


def sites(arrays: Mapping[str, Mapping[str, Tensor]], what: str) -> list[str]:
    """Return the sites for which some network keeps an array, in the order in which data passes them."""
    keys = dict.fromkeys(key for found in arrays.values() for key in found if not key.startswith("untrained/"))
    return sorted((key.removesuffix(f"/{what}") for key in keys if key.endswith(f"/{what}")), key=_natural)


def last(found: Mapping[str, Tensor], what: str) -> Tensor | None:
    """Return the array of the last site that keeps one."""
    names = sites({"": found}, what)
    return found[f"{names[-1]}/{what}"] if names else None


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts stage 10 after stage 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


def place(site: str) -> str:
    """Return a printed name such as ``stage 2, block 1`` for ``stages.1.0.stream``."""
    parts = site.split(".")
    if parts[0] == "stages" and len(parts) == 4:
        return f"stage {int(parts[1]) + 1}, block {int(parts[2]) + 1}"
    return site.removesuffix(".stream")
