"""Explain one network on some images: attributions with their checks, pictures, and units as detectors."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn

from lowparam import registry
from lowparam.data import Dataset, Streamed, standardise
from lowparam.data.pixels import pixels_of
from lowparam.errors import LowparamError
from lowparam.explanations import attributions, detectors, scores
from lowparam.explanations.attributions import Subject
from lowparam.explanations.inversion import invert
from lowparam.explanations.packages import need
from lowparam.explanations.sanity import rank_correlation, shuffled
from lowparam.explanations.visualisation import maximise
from lowparam.interference.held_out import GivenImages, evenly, spread
from lowparam.interference.stages import stage_ends
from lowparam.models.blocks import Site
from lowparam.threads import one_thread

__all__ = ["Explanation", "explain_network", "labels_of", "of_dataset"]

IMAGES = 512
"""Images of a data set that are read."""
EXPLAINED = 32
"""Images that are attributed."""
INVERTED = 6
"""Images whose maps are inverted, the first of these."""
MOST_CLASSES = 10
"""Classes whose image is drawn."""
CASCADE = (0.0, 0.1, 0.5, 1.0)
"""Shares of the layers, from the output on, whose weights are shuffled; at least the classifier's."""


@dataclass
class Explanation:
    """What is known of a network on some images.

    Attributes
    ----------
    images : Tensor
        (N, C, H, W), as the network takes them.
    labels : Tensor
        (N,): the output that each is explained for, its class.
    predicted : Tensor
        (N,): the largest output.
    classes : list of str
        Names of the outputs.
    maps : dict of str to Tensor
        Attribution of each method (N, H, W).
    scores : DataFrame
        A row for each method: ``same_if_shuffled``, the rank correlation with the maps of shuffled weights, near 1 if
        they show nothing of the network; ``same_for_other_image``, that of maps of different images; and with masks the
        scores of `lowparam.explanations.scores`, and those of shuffled weights, whose names end in ``_shuffled``.
    cascade : DataFrame
        method, share of the layers that are shuffled, rank_correlation.
    units : DataFrame
        unit, class and auc at the last map, best first; with masks of features also those of `detectors.summarise`.
    detected : dict of str to float
        What `detectors.summarise` returns, and the share of features that units detect in masks of other images.
    class_images : Tensor
        (at most 10, C, H, W): images that drive the outputs of the first classes.
    inversions : dict of str to (Tensor, Tensor)
        For the last stream of each stage, images that have the maps of the first images, and their errors.
    notes : list of str
        What is left out, and why.
    """

    images: Tensor
    labels: Tensor
    predicted: Tensor
    classes: list[str]
    maps: dict[str, Tensor] = field(default_factory=dict)
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    cascade: pd.DataFrame = field(default_factory=pd.DataFrame)
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    detected: dict[str, float] = field(default_factory=dict)
    class_images: Tensor | None = None
    inversions: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@one_thread()
def explain_network(
    net: nn.Module,
    given: GivenImages,
    *,
    masks: Tensor | None = None,
    methods: Sequence[str] | None = None,
    pictures: bool = True,
) -> Explanation:
    """Explain a network.

    Parameters
    ----------
    net : nn.Module
        From images (N, C, H, W) to logits (N, K); it stays as it is.
    given : GivenImages
        Images as the network takes them; 32 of them, evenly spaced, are attributed, and all are used for statistics.
    masks : Tensor, optional
        Boolean (N, H, W): where what an image's label should be seen by is; or (N, F, H, W), that of every feature, of
        which the label is one.
    methods : sequence of str, optional
        Which attributions; all by default.
    pictures : bool
        Whether to search for images of classes and of maps, which takes the most time.

    Raises
    ------
    LowparamError
        If there is no such method or its package is missing, the masks do not fit the images, or the network has fewer
        outputs than classes.
    """
    methods = list(attributions.names() if methods is None else methods)
    modules = {name: attributions.find(name) for name in methods}
    for module in modules.values():
        if package := getattr(module, "PACKAGE", ""):
            need(package)
    _check_masks(masks, given)
    device = next(net.parameters()).device
    net = _copied(net, given.inputs[:1].to(device))
    everything = given.inputs.to(device)
    chosen = torch.from_numpy(spread(given, EXPLAINED))
    images, labels = everything[chosen.to(device)], given.labels[chosen]
    with torch.no_grad():
        outputs = net(images)
    if outputs.dim() != 2 or outputs.shape[1] < len(given.classes):
        shape = tuple(outputs.shape[1:])
        raise LowparamError(f"the network has outputs of shape {shape} for {len(given.classes)} classes; they must fit")
    found = Explanation(images.cpu(), labels, outputs.argmax(1).cpu(), given.classes)
    sites: Mapping[str, Site] = net.sites()
    shapes = _shapes(net, sites, images[:1])
    subject = Subject(net, attributions.last_map(sites, shapes)[1], everything)
    of_label = None if masks is None else scores.mask_of_label(masks[chosen], labels)
    _attribute(found, subject, modules, images, labels.to(device), of_label)
    if subject.layer is None:
        found.notes.append("the network has no map of several positions")
    else:
        _detect(found, subject, given, masks)
    if pictures:
        _draw(found, net, sites, shapes, images, everything)
    return found


def _check_masks(masks: Tensor | None, given: GivenImages) -> None:
    if masks is None:
        return
    size = tuple(given.inputs.shape[2:])
    if masks.dtype != torch.bool or masks.dim() not in (3, 4) or (len(masks), *masks.shape[-2:]) != (len(given), *size):
        raise LowparamError(
            f"masks must be boolean of shape ({len(given)}, {size[0]}, {size[1]}), or with the features second, not "
            f"{str(masks.dtype).removeprefix('torch.')} of shape {tuple(masks.shape)}"
        )
    if masks.dim() == 4 and masks.shape[1] <= int(given.labels.max()):
        raise LowparamError(
            f"masks has {masks.shape[1]} features, but there are labels up to {int(given.labels.max())}"
        )


def _copied(net: nn.Module, image: Tensor) -> nn.Module:
    """Return a copy of a network in eval mode, with sites, that overwrites no map."""
    net = copy.deepcopy(net).eval()
    if not hasattr(net, "sites"):
        from lowparam.models.timm_adapter import Adapted  # imports timm, which takes seconds

        net = Adapted(net, image).eval()
    for module in net.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    return net.requires_grad_(False)


def _shapes(net: nn.Module, sites: Mapping[str, Site], image: Tensor) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the outputs of sites that run."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape)

        return hook

    handles = [site.output.register_forward_hook(note(name)) for name, site in sites.items()]
    try:
        with torch.no_grad():
            net(image)
    finally:
        for handle in handles:
            handle.remove()
    return {name: shapes[name] for name in sites if name in shapes}


def _attribute(
    found: Explanation,
    subject: Subject,
    modules: Mapping[str, object],
    images: Tensor,
    labels: Tensor,
    masks: Tensor | None,
) -> None:
    """Fill in attributions, their scores and the sanity check."""
    rows, steps = [], []
    random = {share: _of_shuffled(subject, share) for share in CASCADE}
    for name, module in modules.items():
        try:
            by_share = {share: module.attribute(other, images, labels).cpu() for share, other in random.items()}
        except LowparamError as error:
            found.notes.append(f"{name} is left out: {error}")
            continue
        maps, last = by_share[0.0], by_share[CASCADE[-1]]
        found.maps[name] = maps
        same = {share: rank_correlation(maps, other) for share, other in by_share.items()}
        steps += [{"method": name, "share": share, "rank_correlation": value} for share, value in same.items()]
        row = {
            "method": name,
            "same_if_shuffled": same[CASCADE[-1]],
            "same_for_other_image": rank_correlation(maps, maps.roll(1, 0)) if len(maps) > 1 else float("nan"),
        }
        if masks is not None:
            of_shuffled = scores.score(last, masks)
            row |= scores.score(maps, masks)
            row |= {f"{key}_shuffled": of_shuffled[key] for key in ("pointing", "energy")}
        rows.append(row)
    found.scores, found.cascade = pd.DataFrame(rows), pd.DataFrame(steps)


def _of_shuffled(subject: Subject, share: float) -> Subject:
    if not share:
        return subject
    net = shuffled(subject.net, share, subject.sample[:256])
    place = next((name for name, module in subject.net.named_modules() if module is subject.layer), None)
    return Subject(net, None if place is None else net.get_submodule(place), subject.sample)


def _detect(found: Explanation, subject: Subject, given: GivenImages, masks: Tensor | None) -> None:
    """Fill in what the units of the last map detect."""
    maps: list[Tensor] = []
    handle = subject.layer.register_forward_hook(lambda module, inputs, output: maps.append(output.detach()))
    try:
        with torch.no_grad():
            for some in subject.sample.split(256):
                subject.net(some)
    finally:
        handle.remove()
    every = torch.cat(maps).cpu()
    found.units = detectors.unit_table(detectors.class_auc(every, given.labels, len(given.classes)), given.classes)
    if masks is not None and masks.dim() == 4:
        overlaps = detectors.dissect(every, masks)
        moved = detectors.dissect(every, masks.roll(1, 0))
        found.detected = {**detectors.summarise(overlaps), "detected_null": detectors.summarise(moved)["detected"]}


def _draw(
    found: Explanation,
    net: nn.Module,
    sites: Mapping[str, Site],
    shapes: Mapping[str, tuple[int, ...]],
    images: Tensor,
    everything: Tensor,
) -> None:
    """Fill in the images of classes and of maps."""
    count = min(MOST_CLASSES, len(found.classes))
    low, high = (bound.expand_as(images[0]) for bound in _bounds(everything))
    with torch.no_grad():  # in units in which every output varies alike
        deviation = net(images).std(0, correction=0)[:count].clamp(min=1e-12)
    found.class_images = maximise(lambda x: net(x).diagonal() / deviation, low, high, count).cpu()
    positions = {
        name: shape[2] * shape[3] for name, shape in shapes.items() if sites[name].kind == "stream" and len(shape) == 4
    }
    for name in stage_ends(positions):
        inverted, errors = invert(lambda x, name=name: _map_of(net, sites[name].output, x), images[:INVERTED])
        found.inversions[name] = inverted.cpu(), errors.cpu()


def _bounds(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the largest value of each channel, (C, 1, 1)."""
    return images.amin((0, 2, 3))[:, None, None], images.amax((0, 2, 3))[:, None, None]


def _map_of(net: nn.Module, module: nn.Module, images: Tensor) -> Tensor:
    """Return the output of a module."""
    kept: list[Tensor] = []
    handle = module.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        net(images)
    finally:
        handle.remove()
    return kept[-1]


def of_dataset(dataset: Dataset | Streamed, *, mean: Tensor, std: Tensor) -> GivenImages:
    """Return at most 512 test images of a data set, evenly spaced, as a network takes them.

    Raises
    ------
    LowparamError
        If it has none.
    """
    if not len(dataset.test):
        raise LowparamError("the data set has no test images, which an explanation needs; give another one with --data")
    rows = evenly(len(dataset.test), IMAGES)
    inputs = standardise(pixels_of(dataset, dataset.test, rows), mean, std)
    return GivenImages(inputs, dataset.test.labels[torch.from_numpy(rows)], list(dataset.classes))


def labels_of(methods: Sequence[str]) -> dict[str, str]:
    """Return the printed name of each attribution."""
    return {name: registry.constants(attributions.FOLDER, name)["LABEL"] for name in methods}
