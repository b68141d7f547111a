"""Profile any network on images in memory."""

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.held_out import GivenImages, spread
from lowparam.interference.norm_statistics import recalibrate_on
from lowparam.interference.profile import profile_network
from lowparam.models.blocks import Site
from lowparam.params import Profile
from lowparam.threads import one_thread

__all__ = ["given_images", "profile_model", "to_inputs"]


@one_thread()
def profile_model(
    model: nn.Module,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor | Sequence[int],
    *,
    sites: Callable[[nn.Module], Mapping[str, Site]] | None = None,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    classes: Sequence[str] | None = None,
    untrained: nn.Module | None = None,
    settings: Profile | None = None,
    seed: int = 0,
    figure_data: dict[str, Tensor] | None = None,
) -> pd.DataFrame:
    """Measure superposition and interference in a network, on images that it was not trained on.

    Parameters
    ----------
    model : nn.Module
        Maps images (N, C, H, W) to logits (N, K). Its weights, and whether it is in training mode, stay as they are.
    images : ndarray or Tensor
        Pixels, uint8 of shape (N, H, W), (N, H, W, C) or (N, C, H, W), which are divided by 255 and then normalised as
        `normalisation` says. Or the network's own input, floating point of shape (N, C, H, W), which is used as it is.
        At most ``settings.images`` of them are used, evenly spaced.
    labels : array of int, shape (N,)
        Class of each image, from 0 to K - 1.
    sites : callable, optional
        From the model to its sites by name, in the order of data. By default ``model.sites()``; a network without it
        gets sites by the types of its modules, as networks of timm do.
    normalisation : (mean, std), optional
        One number a channel each, in units in which pixels are from 0 to 1, as torchvision's ``Normalize`` takes them.
        Only for uint8 images.
    classes : sequence of str, optional
        Names of the K classes; by default their numbers, up to the largest label.
    untrained : nn.Module, optional
        The same network at its initialisation, to compare with. The statistics of its batch norms are computed on the
        images, in a copy.
    settings : Profile, optional
        Numbers of images, folds and draws, and which measures are added to the default ones.
    seed : int
        Seed of the pairs of channels.
    figure_data : dict, optional
        Is filled with the arrays behind the figures.

    Returns
    -------
    DataFrame
        A row for each value at each site; docs/science/interference.md explains the columns.

    Raises
    ------
    LowparamError
        If the images or labels have another type or shape, the network cannot take the images, none of the sites
        that were found in a network without ``sites()`` has a pointwise layer, or `untrained` is another network.
    """
    settings = settings or Profile()
    for key, net in (("model", model), ("untrained", untrained or model)):
        if not isinstance(net, nn.Module):
            raise LowparamError(f"{key} must be a torch.nn.Module, not {type(net).__name__}")
    if sites is not None and not callable(sites):
        raise LowparamError(f"sites must be a function from the model to its sites, not {type(sites).__name__}")
    inputs = to_inputs(images, normalisation)
    given = GivenImages(inputs, *_labels(labels, len(inputs), classes))
    rows = torch.from_numpy(spread(given, settings.images))
    given = GivenImages(inputs[rows], given.labels[rows], given.classes)
    networks = [copy.deepcopy(model).eval()]
    _check_takes(networks[0], given.inputs[:1])
    if untrained is not None:
        networks.append(copy.deepcopy(untrained).eval())
        _check_takes(networks[1], given.inputs[:1])
        recalibrate_on(networks[1], [given.inputs[:256]])
    if sites is None:
        networks = [net if hasattr(net, "sites") else _with_sites(net, given.inputs[:1]) for net in networks]
    if len({tuple(sites(net) if sites else net.sites()) for net in networks}) > 1:
        raise LowparamError("untrained must be the same network as model: its sites are others")
    return profile_network(
        networks[0],
        given,
        settings,
        seed=seed,
        untrained=networks[1] if untrained is not None else None,
        sites=sites,
        figure_data=figure_data,
    )


def to_inputs(
    images: np.ndarray | Tensor, normalisation: tuple[Sequence[float], Sequence[float]] | None = None
) -> Tensor:
    """Turn images into inputs of a network, float32 of shape (N, C, H, W).

    Parameters and errors are those of `profile_model`.
    """
    try:
        images = torch.as_tensor(images)
    except (TypeError, ValueError, RuntimeError) as error:
        raise LowparamError(f"images must be an array or a tensor, not {type(images).__name__}") from error
    if images.is_floating_point():
        if images.dim() != 4:
            raise LowparamError(f"images of floating point must be (N, C, H, W), not {tuple(images.shape)}")
        if normalisation is not None:
            raise LowparamError("images of floating point are used as they are; give no normalisation, or give uint8")
        return images.float()
    if images.dtype != torch.uint8:
        raise LowparamError(f"images must be uint8 pixels or the network's floating-point input, not {images.dtype}")
    if images.dim() == 3:
        images = images[:, None]
    elif images.dim() == 4 and images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        images = images.permute(0, 3, 1, 2)
    elif images.dim() != 4:
        raise LowparamError(f"images must be (N, H, W), (N, H, W, C) or (N, C, H, W), not {tuple(images.shape)}")
    scaled = images.float() / 255
    if normalisation is None:
        return scaled
    mean, std = (torch.as_tensor(values, dtype=torch.float32).view(1, -1, 1, 1) for values in normalisation)
    if {mean.shape[1], std.shape[1]} - {1, scaled.shape[1]}:
        raise LowparamError(f"normalisation needs one mean and one std for each of {scaled.shape[1]} channels")
    if not (std > 0).all():
        raise LowparamError(f"normalisation needs a std above 0, not {std.flatten().tolist()}")
    return (scaled - mean) / std


def given_images(
    net: nn.Module,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor | Sequence[int],
    *,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    classes: Sequence[str] | None = None,
) -> GivenImages:
    """Return images with their labels as a network takes them; arguments and errors are those of `profile_model`."""
    inputs = to_inputs(images, normalisation)
    given = GivenImages(inputs, *_labels(labels, len(inputs), classes))
    _check_takes(copy.deepcopy(net).eval(), given.inputs[:1])
    return given


def _labels(
    labels: np.ndarray | Tensor | Sequence[int], images: int, classes: Sequence[str] | None
) -> tuple[Tensor, list[str]]:
    """Return the labels as int64, and the names of the classes."""
    if not images:
        raise LowparamError("there are no images to profile on")
    try:
        labels = torch.as_tensor(labels).cpu()
    except (TypeError, ValueError) as error:
        raise LowparamError(f"labels must be {images} whole numbers, one an image") from error
    if labels.is_floating_point() or labels.shape != (images,):
        raise LowparamError(f"labels must be {images} whole numbers, one an image, not {tuple(labels.shape)}")
    labels = labels.long()
    number = len(classes) if classes is not None else int(labels.max()) + 1
    if not 0 <= int(labels.min()) <= int(labels.max()) < number:
        raise LowparamError(f"labels must be from 0 to {number - 1}, not {int(labels.min())} to {int(labels.max())}")
    return labels, [str(name) for name in (classes if classes is not None else range(number))]


def _check_takes(net: nn.Module, image: Tensor) -> None:
    """Raise a LowparamError if a network cannot take an image (1, C, H, W)."""
    try:
        with torch.no_grad():
            net(image.to(next(net.parameters()).device))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        shape, reason = " x ".join(map(str, image.shape[1:])), " ".join(str(error).split())[:150]
        raise LowparamError(f"the network cannot take images of {shape}: {reason}") from error


def _with_sites(net: nn.Module, image: Tensor) -> nn.Module:
    """Find the sites of a network by the types of its modules.

    Raises
    ------
    LowparamError
        If none has a pointwise layer.
    """
    from lowparam.models.timm_adapter import Adapted  # imports timm, which takes seconds

    adapted = Adapted(net, image.to(next(net.parameters()).device))
    if not any(site.pointwise is not None for site in adapted.sites().values()):
        raise LowparamError("the network names no site with a pointwise layer; there is no interference to profile")
    return adapted
