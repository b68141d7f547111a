"""Define the one exception whose message is meant for users."""

__all__ = ["LowparamError"]


class LowparamError(Exception):
    """Report a mistake in the input or the environment, not in the program.

    The message is one line, names the key, file or value, and what would be right.
    The command line prints it without a traceback and exits with 1.
    """
