"""Penalise how differently a network and an untrained guide arrange the images of a batch: guidance, in a reading.

The sum over the layers of the guide of 1 - CKA with the layer of the network that is as deep (Subramaniam et al. 2024,
arXiv 2410.20035). As in the authors' code the guide is in evaluation mode and sees the same images, maps are compared
whole, and layers are paired by even spacing. Two things are a reading. The guide is one and the same, a MobileNetV1 on
the skeleton with weights of a fixed seed: it knows nothing, so what it passes on is the prior of an architecture. And
CKA is unbiased, because the authors' form is near 1 for unrelated maps of more values than a batch has images.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.blocks.mobilenetv1 import DepthwiseSeparable
from lowparam.models.make import Make
from lowparam.models.skeletons.controlled import Controlled, Network
from lowparam.training.penalties import Penalty

__all__ = ["cka", "make", "partners", "untrained_guide"]

WIDTH, SEED = 32.0, 0
"""Width of the guide's first stage, which gives it about 38,000 parameters, and the seed of its weights."""
FEWEST = 4
"""Images that unbiased CKA needs; a smaller batch costs nothing."""


def make(net: Network) -> Penalty:
    """Return the distance of a network to the guide on the last training batch, at most about the number of layers.

    Raises
    ------
    LowparamError
        If the network has no streams, whose maps are compared.
    """
    layers = [site.output for site in net.sites().values() if site.kind == "stream"]
    if not layers:
        raise LowparamError(
            "recipe key penalties.guidance: the streams of this architecture are not known; leave it out"
        )
    images: list[Tensor] = []
    maps: dict[int, Tensor] = {}
    guides: list[Controlled] = []  # of images whose size and channels the first batch tells

    def see(module: nn.Module, args: tuple) -> None:
        if module.training:  # an evaluation would keep its maps alive
            images[:] = args

    def keep(number: int):
        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            if module.training:
                maps[number] = output

        return hook

    net.register_forward_pre_hook(see)
    for number, layer in enumerate(layers):
        layer.register_forward_hook(keep(number))

    def penalty() -> Tensor:
        batch, mine = images.pop(), [maps.pop(number).float() for number in range(len(layers))]
        if len(batch) < FEWEST:
            return batch.new_zeros(())
        if not guides:
            guides.append(untrained_guide(batch))
        with torch.no_grad():
            targets = _maps(guides[0], batch)
        pairs = zip(targets, partners(len(targets), len(mine)), strict=True)
        return torch.stack([1 - cka(mine[number], target) for target, number in pairs]).sum()

    return penalty


def untrained_guide(images: Tensor) -> Controlled:
    """Return the guide for images such as these (N, C, H, W), on their device; random numbers elsewhere stay."""
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(SEED)
        shape = {"classes": 1, "in_channels": images.shape[1], "size": images.shape[2]}
        guide = Controlled(DepthwiseSeparable, WIDTH, **shape, make=Make(name="mobilenetv1"))
    return guide.eval().requires_grad_(False).to(images.device).to(memory_format=torch.channels_last)


def partners(guide: int, network: int) -> list[int]:
    """Return for each layer of the guide the number of the layer of a network, both given as numbers of layers."""
    return [round(layer * (network - 1) / (guide - 1)) for layer in range(guide)]


def cka(first: Tensor, second: Tensor) -> Tensor:
    """Compute the unbiased linear CKA of maps of the same n images, (n, ...); 0 where one does not vary.

    Formula: HSIC_1(K, L) / sqrt(HSIC_1(K, K) HSIC_1(L, L)) of their Gram matrices, with the unbiased estimate of Song
    et al. 2012 (JMLR 13, equation 4).
    """
    grams = [_centred_gram(x) for x in (first, second)]
    products = [(grams[i] * grams[j]).sum() for i, j in ((0, 1), (0, 0), (1, 1))]
    return products[0] / (products[1] * products[2]).clamp(min=1e-12).sqrt()


def _centred_gram(x: Tensor) -> Tensor:
    """Return the Gram matrix of n maps, of norm 1 at first, without diagonal and with rows that sum to 0.

    Szekely & Rizzo 2014 call it U-centred; the sum of the product of two is n (n - 3) HSIC_1.
    """
    n = len(x)
    x = x.flatten(1) - x.flatten(1).mean(0)
    gram = F.normalize((x @ x.T).flatten(), dim=0).view(n, n)  # an untrained guide has tiny maps
    off = 1 - torch.eye(n, dtype=x.dtype, device=x.device)
    gram = gram * off
    rows = gram.sum(0) / (n - 2)
    return (gram - rows - rows[:, None] + gram.sum() / ((n - 1) * (n - 2))) * off


def _maps(guide: Controlled, images: Tensor) -> list[Tensor]:
    """Return the maps after each block of the guide."""
    found = [guide.stem(images)]
    for stage in guide.stages:
        for block in stage.children():
            found.append(block(found[-1]))
    return found[1:]
