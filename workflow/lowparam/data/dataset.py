"""Hold images in memory or on disk, and store and load prepared data sets."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.files import atomic, read_json, sha256, write_json
from lowparam.prepared_data import seal

__all__ = [
    "SPLITS",
    "Dataset",
    "Files",
    "Images",
    "Streamed",
    "channel_statistics",
    "load",
    "save",
    "save_streamed",
    "standardise",
]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Images:
    """Hold one split of a data set.

    Parameters
    ----------
    pixels : Tensor
        uint8 of shape (N, C, H, W).
    labels : Tensor
        int64 of shape (N,), from 0 to the number of classes minus 1.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor) -> "Images":
        """Return the images of some rows, int64 of shape (M,)."""
        return Images(self.pixels[rows], self.labels[rows])

    def to(self, device: torch.device) -> "Images":
        """Move to a device."""
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Files:
    """List one split of a data set that stays on disk; an index gives the path of an image and its label.

    Parameters
    ----------
    root : Path
        Folder that the names are relative to.
    names : ndarray
        Bytes of shape (N,), as the file system has them: a million take 50 MB, and no process copies them.
    labels : Tensor
        int64 of shape (N,).
    """

    root: Path
    names: np.ndarray
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[str, int]:
        return os.path.join(self.root, os.fsdecode(self.names[index])), int(self.labels[index])

    def take(self, rows: Tensor) -> "Files":
        """Return the files of some rows, int64 of shape (M,)."""
        return Files(self.root, self.names[rows.numpy()], self.labels[rows])


@dataclass(frozen=True)
class Dataset:
    """Hold a data set in memory.

    Parameters
    ----------
    train, validation, test : Images
        The splits; settings are chosen on ``validation``, accuracy is reported on ``test``.
    classes : list of str
        Names of the classes, in the order of the labels.
    mean, std : Tensor
        Mean and standard deviation per channel over the training split, in pixel units (0 to 255), of shape (C,).
    sha256 : str
        Hash of the stored images, which every run records.
    """

    train: Images
    validation: Images
    test: Images
    classes: list[str]
    mean: Tensor
    std: Tensor
    sha256: str = ""

    streaming: ClassVar[bool] = False

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.train.pixels.shape[1]

    @property
    def size(self) -> int:
        """Height, which is also the width, in pixels."""
        return self.train.pixels.shape[2]

    def to(self, device: torch.device) -> "Dataset":
        """Move all tensors to a device."""
        splits = {name: getattr(self, name).to(device) for name in SPLITS}
        return replace(self, **splits, mean=self.mean.to(device), std=self.std.to(device))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Standardise pixels by the mean and standard deviation of the training split."""
        return standardise(pixels, self.mean, self.std)


@dataclass(frozen=True)
class Streamed:
    """Describe a data set that is read from image files during training.

    Parameters
    ----------
    train, validation, test : Files
        The splits; images have any size and mode, and are decoded by their reader.
    classes : list of str
        Names of the classes, in the order of the labels.
    mean, std : Tensor
        Mean and standard deviation per channel, in pixel units (0 to 255), of shape (C,).
    in_channels : int
        Channels that networks see.
    size : int
        Height, which is also the width, in pixels that networks see.
    sha256 : str
        Hash of the names and sizes of all files, which every run records.
    value_range : (float, float), optional
        The values that are black and white in images of more than 8 bits (`lowparam.data.decode`).
    """

    train: Files
    validation: Files
    test: Files
    classes: list[str]
    mean: Tensor
    std: Tensor
    in_channels: int
    size: int
    sha256: str
    value_range: tuple[float, float] | None = None

    streaming: ClassVar[bool] = True

    def to(self, device: torch.device) -> "Streamed":
        """Return itself: the images stay on disk."""
        return self

    def normalise(self, pixels: Tensor) -> Tensor:
        """Standardise pixels by the mean and standard deviation of the training split."""
        return standardise(pixels, self.mean, self.std)


def standardise(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Map uint8 pixels (N, C, H, W) to float32, given the mean and the standard deviation per channel (C,)."""
    shape = (1, -1, 1, 1)
    return (pixels.float() - mean.to(pixels.device).view(shape)) / std.to(pixels.device).view(shape)


def save(folder: Path, splits: dict[str, Images], classes: list[str], **manifest) -> None:
    """Write ``images.safetensors`` and ``manifest.json`` (counts, mean, standard deviation, hash) into `folder`."""
    folder = Path(folder)
    tensors = {
        f"{name}.{key}": getattr(split, key).contiguous()
        for name, split in splits.items()
        for key in ("pixels", "labels")
    }
    with atomic(folder / "images.safetensors") as temporary:
        save_file(tensors, temporary)
    mean, std = channel_statistics(splits["train"].pixels)
    shape = list(splits["train"].pixels.shape[1:])
    _write_manifest(folder, "images.safetensors", splits, classes, shape, mean, std, manifest)


def save_streamed(
    folder: Path,
    splits: dict[str, Files],
    classes: list[str],
    *,
    shape: list[int],
    mean: Tensor,
    std: Tensor,
    **manifest,
) -> None:
    """Write ``files.json`` (names and sizes), ``location.json`` and ``manifest.json`` into `folder`.

    The location of the images is in a separate file, because a data set that moves is still the same.

    Raises
    ------
    LowparamError
        If a name is not UTF-8.
    """
    folder = Path(folder)
    root = splits["train"].root.absolute()
    listed = {name: {label: {} for label in classes} for name in splits}
    for name, split in splits.items():
        for file, label in zip(split.names, split.labels.tolist(), strict=True):
            try:
                listed[name][classes[label]][file.decode()] = (root / os.fsdecode(file)).stat().st_size
            except UnicodeDecodeError as error:
                raise LowparamError(f"{root}: the name {file!r} is not UTF-8; rename the file") from error
    write_json(folder / "files.json", listed)
    write_json(folder / "location.json", str(root))
    _write_manifest(folder, "files.json", splits, classes, shape, mean, std, manifest | {"streaming": True})


def _write_manifest(folder, stored, splits, classes, shape, mean, std, manifest) -> None:
    counts = {name: torch.bincount(split.labels, minlength=len(classes)).tolist() for name, split in splits.items()}
    content = {
        **manifest,
        "classes": classes,
        "images_per_class": counts,
        "shape": shape,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "sha256": sha256(folder / stored),
    }
    write_json(folder / "manifest.json", seal(content))


def channel_statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the mean and standard deviation per channel, float64 (C,), of uint8 images (N, C, H, W).

    Both come from counts of the 256 values, which is exact and needs no floating-point copy of the images.
    """
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in pixels.unbind(1)]).double()
    values = torch.arange(256, dtype=torch.float64)
    mean = counts @ values / counts.sum(1)
    variance = (counts * (values - mean[:, None]) ** 2).sum(1) / counts.sum(1)
    return mean, variance.sqrt()


def load(folder: Path | str) -> Dataset | Streamed:
    """Read what `save` or `save_streamed` wrote.

    Raises
    ------
    LowparamError
        If a file is missing, or if the images do not match the manifest, or the manifest itself was changed.
    """
    folder = Path(folder)
    again = f"run: lowparam prepare {folder.name}"
    if not (folder / "manifest.json").exists():
        raise LowparamError(f"{folder} has no prepared data; {again}")
    manifest = read_json(folder / "manifest.json")
    if "manifest_sha256" in manifest and seal(manifest) != manifest:
        raise LowparamError(f"{folder / 'manifest.json'} was changed after the data were prepared; {again}")
    streaming = manifest.get("streaming", False)
    path = folder / ("files.json" if streaming else "images.safetensors")
    try:
        if sha256(path) != manifest["sha256"]:
            raise LowparamError(f"{path} is not the file its manifest describes; {again}")
        splits = _files(folder, manifest["classes"]) if streaming else _images(path)
    except (OSError, SafetensorError) as error:
        raise LowparamError(f"cannot read {path}: {error}; {again}") from error
    about = {
        "classes": manifest["classes"],
        "mean": torch.tensor(manifest["mean"]),
        "std": torch.tensor(manifest["std"]),
        "sha256": manifest["sha256"],
    }
    if streaming:
        value_range = manifest["settings"].get("value_range")
        return Streamed(
            **splits,
            **about,
            in_channels=manifest["shape"][0],
            size=manifest["shape"][1],
            value_range=None if value_range is None else tuple(value_range),
        )
    return Dataset(**splits, **about)


def _images(path: Path) -> dict[str, Images]:
    tensors = load_file(path)
    return {name: Images(tensors[f"{name}.pixels"], tensors[f"{name}.labels"]) for name in SPLITS}


def _files(folder: Path, classes: list[str]) -> dict[str, Files]:
    root = Path(read_json(folder / "location.json"))
    if not root.is_dir():
        raise LowparamError(
            f"the images of {folder.name} are not in {root}; set data.{folder.name}.path to where they are"
        )
    listed = read_json(folder / "files.json")
    splits = {}
    for split in SPLITS:
        names = [name.encode() for label in classes for name in listed[split][label]]
        labels = [number for number, label in enumerate(classes) for _ in listed[split][label]]
        splits[split] = Files(root, np.array(names), torch.tensor(labels))
    return splits
