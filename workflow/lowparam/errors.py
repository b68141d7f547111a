"""Define the one exception whose message is meant for users, and what it repeats of other programs."""

__all__ = ["LowparamError", "last_line"]


class LowparamError(Exception):
    """Report a mistake in the input or the environment, not in the program.

    The message is one line, names the key, file or value, and what would be right.
    The command line prints it without a traceback and exits with 1.
    """


def last_line(printed: str) -> str:
    """Return the last line that a program printed, where it states its error; ``no message`` if it printed nothing."""
    return (printed.strip().splitlines() or ["no message"])[-1]
