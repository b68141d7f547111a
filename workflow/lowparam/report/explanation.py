"""Draw what is known of one network on some images on one page, and write its numbers next to it."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lowparam.explanations.network import Explanation, labels_of
from lowparam.files import write_csv
from lowparam.report.escape import class_name, has_glyphs, mathtext
from lowparam.report.style import TEXT_WIDTH, in_style, save

__all__ = ["draw", "write_explanation"]

ACROSS = 6
"""Images in a row."""


def write_explanation(folder: Path, name: str, found: Explanation) -> None:
    """Write ``page.png`` and ``page.pdf``, and ``scores.csv``, ``cascade.csv`` and ``units.csv``."""
    for part in ("scores", "cascade", "units"):
        write_csv(folder / f"{part}.csv", getattr(found, part))
    with in_style():
        save(draw(name, found), folder, "page")


def draw(name: str, found: Explanation) -> Figure:
    """Draw images with their attributions and with images of the same maps below them, and images of classes."""
    shown = min(ACROSS, len(found.images))
    classes = [] if found.class_images is None else list(found.class_images.split(ACROSS))
    rows = 1 + len(found.maps) + len(found.inversions) + len(classes)
    figure, axes = plt.subplots(
        rows, ACROSS, figsize=(TEXT_WIDTH, 0.5 + 1.25 * rows), squeeze=False, layout="constrained"
    )
    figure.suptitle(_title(name, found), fontsize=8)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
    left = iter(axes)
    drawn = _images(next(left), found, shown)
    for method, maps in found.maps.items():
        drawn += _attribution(next(left), found, method, maps[:shown])
    for site, (images, errors) in found.inversions.items():
        drawn += _inverted(next(left), found, site, images, errors)
    for place, images in enumerate(classes):
        drawn += _classes(next(left), found, images, place * ACROSS)
    for axis in set(axes.flat) - set(drawn):
        axis.remove()
    return figure


def _title(name: str, found: Explanation) -> str:
    best = found.units.head(3)
    lines = [name if has_glyphs(name) else "network"]
    if len(best):
        of = ", ".join(f"{row.unit} ({row['class']}, {row.auc:.2f})" for _, row in best.iterrows())
        lines.append(f"units of the last map that separate a class best (AUC): {mathtext(of)}")
    if found.detected:
        lines.append(
            f"features that a unit detects: {found.detected['detected']:.0%} "
            f"(in masks of other images: {found.detected['detected_null']:.0%})"
        )
    return "\n".join(lines)


def _images(row: Sequence[Axes], found: Explanation, count: int) -> list[Axes]:
    for place, (axis, image) in enumerate(zip(row, found.images[:count], strict=False)):
        _show(axis, image, found)
        right = found.predicted[place] == found.labels[place]
        label = int(found.labels[place])
        axis.set_title(class_name(found.classes[label], label), color="black" if right else "tab:red")
    row[0].set_ylabel("image")
    return list(row[:count])


def _attribution(row: Sequence[Axes], found: Explanation, method: str, maps: Tensor) -> list[Axes]:
    for axis, values in zip(row, maps, strict=False):
        largest = values.abs().max().item() or 1.0
        axis.imshow(values.numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    same = found.scores.set_index("method").loc[method, "same_if_shuffled"]
    name = labels_of([method])[method].replace(" ", "\n").replace("Attribution", "-\nAttribution")
    row[0].set_ylabel(f"{name}\nif shuffled {same:.2f}")
    return list(row[: len(maps)])


def _inverted(row: Sequence[Axes], found: Explanation, site: str, images: Tensor, errors: Tensor) -> list[Axes]:
    for axis, image, error in zip(row, images, errors.tolist(), strict=False):
        _show(axis, image, found)
        axis.set_xlabel(f"error {error:.1%}")
    row[0].set_ylabel(f"same map at\n{site.removesuffix('.stream')}")
    return list(row[: len(images)])


def _classes(row: Sequence[Axes], found: Explanation, images: Tensor, first: int) -> list[Axes]:
    for place, (axis, image) in enumerate(zip(row, images, strict=False)):
        _show(axis, image, found)
        axis.set_title(class_name(found.classes[first + place], first + place))
    row[0].set_ylabel("drives the class")
    return list(row[: len(images)])


def _show(axis: Axes, image: Tensor, found: Explanation) -> None:
    """Draw an image (C, H, W), grey unless it has three channels, in the range of the images."""
    low, high = found.images.min().item(), found.images.max().item()
    scaled = ((image - low) / (high - low if high > low else 1)).clamp(0, 1)
    if len(image) == 3:
        axis.imshow(scaled.permute(1, 2, 0).numpy(), interpolation="nearest")
    else:
        axis.imshow(torch.mean(scaled, 0).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
