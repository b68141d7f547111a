"""No shortcut: f(x) in place of x + f(x)."""

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "shortcut"
LABEL = "no shortcut"
PAPER = "none"
EQUALS = "The branch alone. A layer scale, which belongs to the shortcut, goes too."


def make(channels: int) -> None:
    """Return None: nothing joins x and f(x)."""
    return
