"""Change a feature map and measure how the logits change."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.held_out import MeasuredImages

__all__ = ["logit_changes"]

AT_ONCE = 512
"""Most feature maps that go through the rest of the network together."""

NOT_ALONE = "the rest of the network does not depend on the images through this site alone"


def logit_changes(
    net: nn.Module,
    module: nn.Module,
    images: MeasuredImages,
    index: np.ndarray,
    change: Callable[[Tensor, slice], Tensor],
    versions: int,
    device: torch.device,
) -> Tensor:
    """Return the change of the logits when the output of a module is changed in several ways.

    The images run up to the module once; there the batch is repeated, once for each version, so only the rest of the
    network runs many times. So the rest must depend on the images through this module alone.

    Parameters
    ----------
    net, module
        A network, and the module in it whose output is changed.
    images, index
        Images, and int64 indices (N,) of those to run.
    change : callable
        From the feature map with channels last, (1, N, ..., C), and a slice of the versions to those versions of it,
        (versions in the slice, N, ..., C).
    versions : int
        Number of versions.
    device : torch.device
        Where the network is.

    Returns
    -------
    Tensor
        float64 of shape (versions, images, outputs).

    Raises
    ------
    LowparamError
        If the rest of the network has another way to the images.
    """
    changes = []
    chunk = max(1, AT_ONCE // len(index) - 1)
    x = images.pixels(index).to(device).contiguous(memory_format=torch.channels_last)
    for start in range(0, versions, chunk):
        part = slice(start, min(start + chunk, versions))

        def push(module: nn.Module, inputs: tuple, output: Tensor, part: slice = part) -> Tensor:
            last = (output.permute(0, 2, 3, 1) if output.dim() == 4 else output)[None]
            repeated = torch.cat([last, change(last, part)]).flatten(0, 1)
            return repeated.permute(0, 3, 1, 2) if output.dim() == 4 else repeated

        hook = module.register_forward_hook(push)
        try:
            with torch.no_grad():
                logits = net(x).double()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # two batch sizes meet
            raise LowparamError(NOT_ALONE) from error
        finally:
            hook.remove()
        if len(logits) != (1 + part.stop - part.start) * len(x):
            raise LowparamError(NOT_ALONE)
        logits = logits.view(-1, len(x), logits.shape[1])
        changes.append(logits[1:] - logits[:1])
    return torch.cat(changes)
