"""Import the packages that only deployment needs; one that is missing is one line."""

import importlib
import importlib.util
from types import ModuleType

from lowparam.errors import LowparamError

__all__ = ["need"]


def need(*names: str) -> ModuleType:
    """Import the first of some packages, and see that the others are there.

    Raises
    ------
    LowparamError
        If one of them is not installed.
    """
    for name in names:
        package = name.partition(".")[0]
        if importlib.util.find_spec(package) is None:
            raise LowparamError(
                f"the package {package} is missing; run: pip install 'lowparam[deploy]' "
                f"(in the repository: pip install -e '.[deploy]'), or pip install {package}"
            )
    return importlib.import_module(names[0])
