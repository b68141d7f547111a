"""Read or replace what a block adds to the stream, its branch."""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from lowparam.models.blocks import Block

__all__ = ["branches"]


@contextmanager
def branches(modules: Mapping[str, nn.Module], see: Callable[[str, Tensor, Tensor], Tensor | None]) -> Generator[None]:
    """Show the branch of some blocks while the network runs; what is returned takes its place.

    The branch of a block of this package is what is added to its input, or its output where nothing is added. Of any
    other module it is its output less its input where these have the same shape, as with a shortcut, or its output.

    Parameters
    ----------
    modules : mapping of str to nn.Module
        Modules that write a stream, by the names that `see` is given.
    see : callable
        From a name, the input (N, C, H, W) and the branch (N, C', H', W') to another branch, or None to keep it.
        Modules with other inputs or outputs are passed over.
    """
    with ExitStack() as stack:
        for name, module in modules.items():
            if isinstance(module, Block):
                stack.callback(module.register_forward_pre_hook(_keep_input).remove)
                stack.callback(module.on_branch.register_forward_hook(_of_block(name, module, see)).remove)
            else:
                stack.callback(module.register_forward_hook(_of_other(name, see)).remove)
        yield


def _keep_input(module: nn.Module, inputs: tuple) -> None:
    module.__dict__["_last_input"] = inputs[0]  # not in the state of the module


def _of_block(name: str, block: Block, see: Callable[[str, Tensor, Tensor], Tensor | None]) -> Callable:
    def hook(module: nn.Module, inputs: tuple, branch: Tensor) -> Tensor | None:
        return see(name, block.__dict__.pop("_last_input"), branch)

    return hook


def _of_other(name: str, see: Callable[[str, Tensor, Tensor], Tensor | None]) -> Callable:
    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor | None:
        x = inputs[0] if inputs else None
        if not (isinstance(x, Tensor) and isinstance(output, Tensor) and x.dim() == output.dim() == 4):
            return None
        joined = x.shape == output.shape
        branch = see(name, x, output - x if joined else output)
        return None if branch is None else (x + branch if joined else branch)

    return hook
