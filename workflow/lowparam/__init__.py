"""Benchmark and paper replication for low-parameter vision networks and the interference inside them.

The public functions are `create_model`, `list_models`, `load_run`, `profile`, `export` and `explain` (see
`lowparam.api`). They are imported when they are first used, so that ``import lowparam`` does not wait for torch.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from lowparam.api import create_model, explain, export, list_models, load_run, profile

__all__ = ["create_model", "explain", "export", "list_models", "load_run", "profile"]


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'lowparam' has no attribute {name!r}")
    from lowparam import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
