"""What is taken to a device: a trained run or a network of timm, with all that its user has to know."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowparam import data, paths, registry
from lowparam.api import TrainedRun, load_run
from lowparam.architectures import is_timm
from lowparam.data import Dataset, Streamed
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import format_size

__all__ = ["Subject", "find", "metadata"]


@dataclass(frozen=True)
class Subject:
    """A network in eval mode on the CPU, and what its user has to know.

    Parameters
    ----------
    name : str
        Such as ``mobilenetv2-none-25k-seed0``, as part of the names of files.
    model : nn.Module
        From normalised images (N, in_channels, size, size) to logits (N, classes).
    classes : list of str
        In the order of the logits.
    in_channels, size : int
        Of the images.
    mean, std : Tensor
        Of the pixels per channel, from 0 to 255: the network takes (pixel - mean) / std.
    dataset : Dataset or Streamed
        The images that it is checked on.
    """

    name: str
    model: nn.Module
    classes: list[str]
    in_channels: int
    size: int
    mean: Tensor
    std: Tensor
    dataset: Dataset | Streamed

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.in_channels, self.size, self.size

    @property
    def about(self) -> dict[str, str]:
        """What the files of an export have in their metadata."""
        return metadata(self.name, self.classes, self.in_channels, self.size, self.mean, self.std)


def metadata(
    name: str, classes: list[str] | None, in_channels: int, size: int, mean: Tensor | None, std: Tensor | None
) -> dict[str, str]:
    """Return what a user of an exported file has to know, each entry as JSON.

    ``mean`` and ``std`` are per channel, on the scale from 0 to 255; they are missing for a network that takes images
    as they are.
    """
    about: dict[str, Any] = {"name": name, "channels": in_channels, "size": size}
    if classes is not None:
        about["classes"] = list(classes)
    if mean is not None and std is not None:
        about |= {"mean": mean.flatten().tolist(), "std": std.flatten().tolist()}
        about["input"] = "(pixel - mean) / std, pixels from 0 to 255, of shape (images, channels, size, size)"
    return {key: json.dumps(value, ensure_ascii=False) for key, value in about.items()}


def find(
    run: str, *, data_folder: Path | None = None, weights: Path | None = None, pretrained: bool = False
) -> Subject:
    """Load what somebody names, and the images to check it on.

    Parameters
    ----------
    run : str
        The folder of a trained run, its model.safetensors, or ``timm:`` and a name that timm knows.
    data_folder : Path, optional
        A prepared data set; for a run it is by default the one that the run was trained on.
    weights, pretrained
        Where the weights of a network of timm come from, as for ``lowparam inspect``.

    Raises
    ------
    LowparamError
        If there is no such run, the data are not prepared here or have other classes, or a network of timm has no
        weights.
    """
    if is_timm(run):
        return _of_timm(run, data_folder, weights, pretrained)
    if weights is not None or pretrained:
        raise LowparamError(f"--weights and --pretrained are for networks of timm; {run} has weights of its own")
    trained = load_run(run)
    folder = data_folder or _trained_on(run, trained)
    dataset = _prepared(folder)
    _check_images(run, folder, trained, dataset)
    spec = trained.spec
    name = f"{spec['architecture'].replace(':', '.')}-{spec['probe']}-{format_size(spec['budget'])}-seed{spec['seed']}"
    return Subject(
        name, trained.model, trained.classes, trained.in_channels, trained.size, trained.mean, trained.std, dataset
    )


def _of_timm(name: str, folder: Path | None, weights: Path | None, pretrained: bool) -> Subject:
    from lowparam.interference.norm_statistics import recalibrate
    from lowparam.models import timm_adapter  # timm takes seconds to import
    from lowparam.models.weights import fit, read_weights

    if folder is None:
        raise LowparamError(f"{name} is no run of yours: give the images to check it on, --data results/data/<name>")
    if weights is not None and pretrained:
        raise LowparamError("--weights and --pretrained are two sources of weights; give one of them")
    dataset = _prepared(folder)
    shape = {"in_channels": dataset.in_channels, "size": dataset.size}
    torch.manual_seed(0)
    net = timm_adapter.build(name, classes=len(dataset.classes), **shape, pretrained=pretrained)
    if weights is not None:
        fit(net.net, read_weights(weights))
    elif not pretrained:
        print(f"{name} gets random weights; give --weights or --pretrained for a trained network", flush=True)
        recalibrate(net, dataset)
    label = f"{name.replace(':', '.')}-{'pretrained' if pretrained else 'own' if weights else 'random'}"
    return Subject(
        label, net.eval(), list(dataset.classes), **shape, mean=dataset.mean, std=dataset.std, dataset=dataset
    )


def _prepared(folder: Path) -> Dataset | Streamed:
    if not (folder / "manifest.json").is_file():
        prepared = sorted(str(file.parent) for file in paths.DATA.glob("*/manifest.json"))
        advice = registry.nearest(str(folder), prepared) if prepared else "run: lowparam prepare <name>"
        raise LowparamError(f"--data: {folder} is no folder of prepared data; {advice}")
    return data.load(folder)


def _trained_on(run: str, trained: TrainedRun) -> Path:
    """Return the prepared data set whose classes, shape and statistics of pixels are those of a run."""
    for file in sorted(paths.DATA.glob("*/manifest.json")):
        if _is_same(read_json(file), trained):
            return file.parent
    raise LowparamError(
        f"the images that {run} was trained on are not in {paths.DATA}; prepare them (lowparam prepare <name>), or "
        "give others with --data"
    )


def _is_same(manifest: Mapping[str, Any], trained: TrainedRun) -> bool:
    if manifest["classes"] != trained.classes or manifest["shape"][:2] != [trained.in_channels, trained.size]:
        return False
    found = torch.tensor([manifest["mean"], manifest["std"]])
    return torch.allclose(found, torch.stack([trained.mean, trained.std]), rtol=1e-5)


def _check_images(run: str, folder: Path, trained: TrainedRun, dataset: Dataset | Streamed) -> None:
    if list(dataset.classes) != trained.classes:
        raise LowparamError(
            f"--data: {folder} has {len(dataset.classes)} classes ({', '.join(dataset.classes[:3])} …), but {run} "
            f"tells {len(trained.classes)} apart ({', '.join(trained.classes[:3])} …)"
        )
    if (dataset.in_channels, dataset.size) != (trained.in_channels, trained.size):
        raise LowparamError(
            f"--data: {folder} has images of {dataset.in_channels} x {dataset.size} x {dataset.size}, but {run} takes "
            f"{trained.in_channels} x {trained.size} x {trained.size}"
        )
