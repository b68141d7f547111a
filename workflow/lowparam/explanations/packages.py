"""Import the packages that only explanations need; one that is missing is one line."""

import importlib
import importlib.util
from types import ModuleType

from lowparam.errors import LowparamError

__all__ = ["need"]


def need(name: str) -> ModuleType:
    """Import a module such as ``captum.attr``.

    Raises
    ------
    LowparamError
        If its package is not installed.
    """
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise LowparamError(
            f"the package {package} is missing; run: pip install 'lowparam[explain]' "
            f"(in the repository: pip install -e '.[explain]'), or pip install {package}"
        )
    return importlib.import_module(name)
