"""The one exception that reaches a user: a line that says what is wrong and what would be right."""

__all__ = ["LowparamError"]


class LowparamError(Exception):
    """A mistake in the input or the surroundings, not in the program.

    The message is one line, names the key, file or value, and says what would be right.
    The command line prints it without a traceback and exits with 1.
    """
