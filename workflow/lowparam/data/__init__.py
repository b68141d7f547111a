"""Images in memory, and how they are stored."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.files import atomic, read_json, write_json

__all__ = ["Dataset", "Images", "load", "save"]

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Images:
    """One part of a data set.

    Parameters
    ----------
    pixels : Tensor
        uint8 of shape (N, C, H, W).
    labels : Tensor
        int64 of shape (N,), from 0 to the number of classes less 1.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Images":
        """Move to a device."""
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Parameters
    ----------
    train, validation, test : Images
        The parts; accuracy is reported on ``test``, settings are chosen on ``validation``.
    classes : list of str
        Names of the classes, in the order of the labels.
    mean, std : Tensor
        Per channel over the training part, in pixel units, of shape (C,).
    sha256 : str
        Hash of the stored images; every run repeats it.
    """

    train: Images
    validation: Images
    test: Images
    classes: list[str]
    mean: Tensor
    std: Tensor
    sha256: str = ""

    @property
    def in_channels(self) -> int:
        return self.train.pixels.shape[1]

    @property
    def size(self) -> int:
        """Height, which is also the width, in pixels."""
        return self.train.pixels.shape[2]

    def to(self, device: torch.device) -> "Dataset":
        """Move all tensors to a device."""
        parts = {name: getattr(self, name).to(device) for name in PARTS}
        return replace(self, **parts, mean=self.mean.to(device), std=self.std.to(device))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Map uint8 pixels (N, C, H, W) to float32 with mean 0 and deviation 1 per channel on the training part."""
        shape = (1, -1, 1, 1)
        mean, std = self.mean.to(pixels.device), self.std.to(pixels.device)
        return (pixels.float() - mean.view(shape)) / std.view(shape)


def save(folder: Path, parts: dict[str, Images], classes: list[str], **manifest) -> None:
    """Write ``images.safetensors`` and ``manifest.json`` (counts, mean, deviation, hash) into `folder`."""
    folder = Path(folder)
    tensors = {f"{name}.{key}": getattr(part, key) for name, part in parts.items() for key in ("pixels", "labels")}
    with atomic(folder / "images.safetensors") as temporary:
        save_file(tensors, temporary)
    std, mean = torch.std_mean(parts["train"].pixels.double(), dim=(0, 2, 3), correction=0)
    write_json(
        folder / "manifest.json",
        {
            **manifest,
            "classes": classes,
            "images_per_class": {
                name: torch.bincount(part.labels, minlength=len(classes)).tolist() for name, part in parts.items()
            },
            "shape": list(parts["train"].pixels.shape[1:]),
            "mean": mean.tolist(),
            "std": std.tolist(),
            "sha256": _sha256(folder / "images.safetensors"),
        },
    )


def load(folder: Path | str) -> Dataset:
    """Read what `save` wrote.

    Raises
    ------
    LowparamError
        If a file is missing, or if the images are not those that the manifest speaks of.
    """
    folder = Path(folder)
    if not (folder / "manifest.json").exists():
        raise LowparamError(f"{folder} has no prepared data; make it with: lowparam prepare {folder.name}")
    manifest = read_json(folder / "manifest.json")
    path = folder / "images.safetensors"
    try:
        if _sha256(path) != manifest["sha256"]:
            raise LowparamError(f"{path} is not the file its manifest describes; delete {folder} and prepare it again")
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise LowparamError(f"cannot read {path}: {error}") from error
    parts = {name: Images(tensors[f"{name}.pixels"], tensors[f"{name}.labels"]) for name in PARTS}
    return Dataset(
        **parts,
        classes=manifest["classes"],
        mean=torch.tensor(manifest["mean"]),
        std=torch.tensor(manifest["std"]),
        sha256=manifest["sha256"],
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
