"""The public functions of lowparam: make and list networks, load a trained run, profile, export or explain a network.

These six are what ``import lowparam`` promises; every other import may change.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lowparam.architectures import is_timm, split
from lowparam.errors import LowparamError
from lowparam.params import parse_budget

if TYPE_CHECKING:
    import pandas as pd

    from lowparam.explanations.network import Explanation
    from lowparam.models.blocks import Site
    from lowparam.models.skeletons.controlled import Network

__all__ = ["TrainedRun", "create_model", "explain", "export", "list_models", "load_run", "profile"]

Images = str | Path | Image.Image | np.ndarray | Tensor | Sequence[Any]
"""What `TrainedRun.predict` takes: one image, or several."""

METADATA = ("spec", "classes", "in_channels", "size", "mean", "std")
"""What the metadata of a checkpoint must have."""


def create_model(
    name: str,
    *,
    budget: int | str | None = None,
    classes: int = 10,
    in_channels: int = 3,
    size: int = 32,
    probe: str = "none",
    counting: str = "total",
    depth: int = 2,
) -> "Network":
    """Create a network with random weights, a `torch.nn.Module` from images (N, in_channels, size, size) to logits.

    Parameters
    ----------
    name : str
        An architecture, with or without parts, such as ``mobilenetv2`` or ``mobilenetv2+gelu``, which needs a budget;
        or a network that has a size of its own, such as ``mobilenetv2_x0.5`` or ``timm:mobilenetv3_small_050``.
    budget : int, str or None
        Parameters wanted, such as ``25_000`` or ``"25k"``; the count is within 2 % of it.
    classes : int
        Number of classes, at least 2.
    in_channels, size : int
        Channels of the images, and their height and width in pixels.
    probe : str
        ``none``, or a probe of interference such as ``solu_s1``.
    counting : {"total", "body", "head"}
        What the budget counts: everything, all but the classifier, or the classifier.
    depth : int
        Blocks in a stage of the controlled skeleton.

    Raises
    ------
    LowparamError
        For an unknown name, a budget that is missing, superfluous or cannot be met, an argument out of its range, or
        images that the network cannot take.

    Examples
    --------
    >>> import lowparam, torch
    >>> net = lowparam.create_model("mobilenetv2", budget="25k", classes=10, in_channels=1, size=28)
    >>> net(torch.zeros(4, 1, 28, 28)).shape
    torch.Size([4, 10])
    """
    from lowparam.models import blocks, listing

    _check_text("name", name)
    for key, value, least in (("classes", classes, 2), ("in_channels", in_channels, 1), ("size", size, 1)):
        _check_whole(key, value, least)
    _check_whole("depth", depth, 1)
    if counting not in ("total", "body", "head"):
        raise LowparamError(f"counting must be total, body or head, not {counting!r}")
    sized = is_timm(name) or split(name)[0] in blocks.published()
    if sized and budget is not None:
        raise LowparamError(f"{name} has a size of its own; give no budget")
    if not sized and budget is None:
        blocks.find(name)
        raise LowparamError(f"{name} has no size of its own; give a budget, such as budget='25k'")
    try:
        wanted = None if budget is None else parse_budget(budget)
    except ValueError as error:
        raise LowparamError(f"budget: {error}") from None
    skeleton: dict[str, Any] = {} if wanted is None else {"counting": counting, "depth": depth}
    return listing.network(
        name, budget=wanted, classes=classes, in_channels=in_channels, size=size, probe=probe, **skeleton
    )


def list_models(pattern: str = "*") -> list[str]:
    """List the names of networks that match a pattern with ``*`` and ``?``, without those of timm.

    Parameters
    ----------
    pattern : str
        ``"*"`` for all, ``"mobilenetv2*"`` for those of one family.

    Returns
    -------
    list of str
        Architectures that need a budget, then networks of published sizes. An architecture also takes parts, which
        ``lowparam models`` lists.

    Examples
    --------
    >>> import lowparam
    >>> lowparam.list_models("nodepth_?")
    ['nodepth_a', 'nodepth_b', 'nodepth_c']
    """
    from lowparam.models import blocks

    _check_text("pattern", pattern)
    return [name for name in [*blocks.names(), *blocks.published()] if fnmatchcase(name, pattern)]


class TrainedRun:
    """A trained network with all that is needed to use it.

    Attributes
    ----------
    model : nn.Module
        From normalised images (N, in_channels, size, size) to logits (N, classes), in eval mode, on the CPU.
    classes : list of str
        Names of the classes, in the order of the logits.
    spec : dict
        How it was trained: architecture, probe, budget, seed, data, recipe.
    in_channels, size : int
        Of the images that the network takes.
    mean, std : Tensor
        Of the training pixels, per channel, on the scale from 0 to 255.
    """

    def __init__(self, model: nn.Module, about: Mapping[str, Any]) -> None:
        self.model, self.classes, self.spec = model.eval(), list(about["classes"]), dict(about["spec"])
        self.in_channels, self.size = int(about["in_channels"]), int(about["size"])
        self.mean, self.std = torch.tensor(about["mean"]), torch.tensor(about["std"])

    def __repr__(self) -> str:
        names = f"{self.spec['architecture']}, probe {self.spec['probe']}, seed {self.spec['seed']}"
        return f"TrainedRun({names}, {len(self.classes)} classes, {self.size} pixels)"

    def transform(self, images: Images) -> Tensor:
        """Turn images into what the model takes, as in training: decoded, scaled, cropped about the centre, normalised.

        Parameters
        ----------
        images : path, PIL image, array, tensor, or a sequence of these
            An array or tensor is uint8: (H, W), (H, W, C) or, for several, (N, H, W, C) or (N, C, H, W).

        Returns
        -------
        Tensor
            float32 of shape (N, in_channels, size, size); one image gives N = 1.

        Raises
        ------
        LowparamError
            If a file cannot be read, or an array is not uint8 or has another shape.
        """
        from lowparam.data.decode import decode, fit

        pixels, value_range = [], self.spec.get("data", {}).get("value_range")
        for image in _split(images):
            try:
                if isinstance(image, str | Path):
                    pixels.append(decode(Path(image).read_bytes(), self.size, self.in_channels, value_range))
                else:
                    picture = image if isinstance(image, Image.Image) else _picture(image)
                    pixels.append(fit(picture, self.size, self.in_channels, value_range))
            except (OSError, ValueError) as error:
                name = image if isinstance(image, str | Path) else "an image"
                raise LowparamError(f"{name} is not a readable image: {error}") from error
        if not pixels:
            raise LowparamError("there are no images: the sequence is empty")
        x = torch.from_numpy(np.stack(pixels)).float()
        return (x - self.mean.view(1, -1, 1, 1)) / self.std.view(1, -1, 1, 1)

    @torch.inference_mode()
    def predict_proba(self, images: Images) -> np.ndarray:
        """Return the probability of each class, float32 of shape (N, classes). Takes what `transform` takes."""
        return self.model(self.transform(images)).softmax(1).numpy()

    def predict(self, images: Images) -> list[str]:
        """Return the name of the most probable class of each image. Takes what `transform` takes."""
        return [self.classes[index] for index in self.predict_proba(images).argmax(1)]


def load_run(folder: str | Path) -> TrainedRun:
    """Load a trained run.

    Parameters
    ----------
    folder : str or Path
        The folder of a run, ``results/<experiment>/runs/<scale>/seed<k>``, or its model.safetensors alone, which has
        the specification, the classes and the statistics of the pixels in its metadata.

    Raises
    ------
    LowparamError
        If there is no such file, or it was not written by lowparam.

    Examples
    --------
    >>> import lowparam
    >>> run = lowparam.load_run("results/digits/runs/mobilenetv2-none-25k/seed0")  # doctest: +SKIP
    >>> run.predict("seven.png")  # doctest: +SKIP
    ['7']
    """
    import json

    from safetensors import SafetensorError, safe_open

    from lowparam.models import network_for
    from lowparam.models.build import load_weights

    path = Path(folder)
    path = path / "model.safetensors" if path.is_dir() else path
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["lowparam"])
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist; train the run first") from error
    except (OSError, SafetensorError) as error:
        raise LowparamError(f"cannot read {path}: {error}") from error
    except (KeyError, ValueError) as error:
        raise LowparamError(f"{path} has no specification in it: it was not written by lowparam") from error
    missing = [key for key in METADATA if key not in about]
    if missing:
        raise LowparamError(f"{path} has no {missing[0]} in its metadata: it was not written by lowparam")
    shape = {"classes": len(about["classes"]), "in_channels": about["in_channels"], "size": about["size"]}
    model = network_for(about["spec"], **shape)
    load_weights(model, path)
    return TrainedRun(model, about)


def profile(
    model: nn.Module,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor | Sequence[int],
    *,
    sites: Callable[[nn.Module], Mapping[str, "Site"]] | None = None,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    classes: Sequence[str] | None = None,
    untrained: nn.Module | None = None,
    measures: Sequence[str] = (),
    out: str | Path | None = None,
) -> "pd.DataFrame":
    """Measure superposition and interference in a network, on images that it was not trained on.

    Parameters
    ----------
    model : nn.Module
        Maps images (N, C, H, W) to logits (N, K); it stays as it is.
    images : ndarray or Tensor
        Pixels, uint8 of shape (N, H, W), (N, H, W, C) or (N, C, H, W), which are divided by 255 and then normalised by
        `normalisation`. Or the network's own input, floating point of shape (N, C, H, W), which is used as it is.
        At most 2,000 of them are used, evenly spaced.
    labels : array of int, shape (N,)
        Class of each image, from 0 to K - 1.
    sites : callable, optional
        From the model to its sites by name, in the order of data. By default ``model.sites()``; a network without it
        gets sites by the types of its modules.
    normalisation : (mean, std), optional
        One number a channel each, in units in which pixels are from 0 to 1. Only for uint8 images.
    classes : sequence of str, optional
        Names of the K classes.
    untrained : nn.Module, optional
        The same network at its initialisation, to compare with.
    measures : sequence of str
        Measures to add to the default ones, such as ``layer_similarity``, ``class_geometry`` or ``coding_rate``.
    out : str or Path, optional
        Folder to write ``profile.csv``, a summary table and the figures to.

    Returns
    -------
    DataFrame
        A row for each value at each site; docs/science/interference.md explains the columns.

    Raises
    ------
    LowparamError
        If the images or labels have another type or shape, the network cannot take the images or has no site with a
        pointwise layer, `untrained` is another network, or `out` is a file.
    """
    from lowparam import registry
    from lowparam.interference import measures as known
    from lowparam.interference.profile_model import profile_model
    from lowparam.params import Profile

    if isinstance(measures, str):
        raise LowparamError(f"measures must be a list, such as [{measures!r}], not a string")
    for name in measures:
        registry.get(name, dict.fromkeys(known.names()), "measure")
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise LowparamError(f"out: {out} is a file; give a folder")
    settings = Profile(measures=list(measures))
    options = {"sites": sites, "normalisation": normalisation, "classes": classes, "untrained": untrained}
    arrays: dict[str, Tensor] = {}
    table = profile_model(model, images, labels, settings=settings, figure_data=arrays, **options)
    if out is not None:
        from lowparam.files import write_csv
        from lowparam.interference import figure_data
        from lowparam.report.model_report import write_model_report

        names = [
            str(name) for name in (classes if classes is not None else range(1 + max(int(label) for label in labels)))
        ]
        figure_data.write(Path(out) / "profile.safetensors", arrays, classes=names)
        write_csv(Path(out) / "profile.csv", table)
        write_model_report(Path(out), type(model).__name__)
    return table


def export(
    model: TrainedRun | nn.Module,
    images: np.ndarray | Tensor,
    path: str | Path,
    *,
    to: str = "onnx",
    labels: np.ndarray | Tensor | Sequence[int] | None = None,
    calibration: np.ndarray | Tensor | None = None,
) -> dict[str, Any]:
    """Write a network as a file for another runtime, and check it against torch.

    Parameters
    ----------
    model : TrainedRun or nn.Module
        What `load_run` returns, or any network that maps images (N, C, H, W) to logits (N, K).
    images : ndarray or Tensor
        Floating point of shape (N, C, H, W), as the network takes them: what `TrainedRun.transform` returns. The file
        is checked on them.
    path : str or Path
        The file to write; what the check showed goes to the same name followed by ``.json``.
    to : {"onnx", "onnx-int8", "torch"}
        The format (docs/deploy.md). All but the last need ``pip install 'lowparam[deploy]'``.
    labels : array of int, shape (N,), optional
        Class of each image, to compute accuracy from.
    calibration : ndarray or Tensor, optional
        Images that the scales of 8 bits come from; by default at most 256 of `images`.

    Returns
    -------
    dict
        ``images``, ``largest_difference`` of a logit, ``same_predictions``, ``bytes`` of the file, and with labels
        ``accuracy`` and ``accuracy_torch``.

    Raises
    ------
    LowparamError
        If the images or labels have another type or shape, a package is missing, or the network cannot be exported; the
        message names the operator.
    """
    from lowparam.deploy import export as deploy
    from lowparam.deploy import subject
    from lowparam.deploy.images import Inputs
    from lowparam.interference.held_out import evenly

    given = _floating("images", images)
    set_by = given if calibration is None else _floating("calibration", calibration)
    classes = None if labels is None else torch.as_tensor(np.asarray(labels))
    if classes is not None and classes.shape != (len(given),):
        raise LowparamError(f"labels has the shape {tuple(classes.shape)}, but there are {len(given)} images")
    known: dict[str, Any] = {"classes": None, "mean": None, "std": None}
    name = type(model).__name__
    if isinstance(model, TrainedRun):
        known = {"classes": model.classes, "mean": model.mean, "std": model.std}
        name, model = str(model.spec["architecture"]), model.model
    return deploy.export(
        model,
        Path(path),
        to,
        test=Inputs(given, np.arange(len(given)), classes),
        calibration=Inputs(set_by, evenly(len(set_by), deploy.CALIBRATION)),
        about=subject.metadata(name, in_channels=given.shape[1], size=given.shape[2], **known),
        name=name,
    )


def explain(
    model: TrainedRun | nn.Module,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor | Sequence[int],
    *,
    masks: np.ndarray | Tensor | None = None,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    classes: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    out: str | Path | None = None,
) -> "Explanation":
    """Show what a network's outputs depend on in images, what drives them, and what its maps keep of an image.

    Parameters
    ----------
    model : TrainedRun or nn.Module
        What `load_run` returns, or any network from images (N, C, H, W) to logits (N, K); it stays as it is.
    images, labels, normalisation, classes
        As for `profile`. 32 of the images, evenly spaced, are explained; all are used for statistics.
    masks : boolean array, optional
        (N, H, W), true where the label of an image can be seen; or (N, F, H, W), where each of F features is, of which
        the label is one. Then attributions are scored, and with features also units as detectors.
    methods : sequence of str, optional
        ``integrated_gradients``, ``grad_cam_pp``, ``pattern_attribution``; by default all of them.
    out : str or Path, optional
        Folder to write a page of pictures to, and the numbers as csv.

    Returns
    -------
    Explanation
        ``maps`` by method, ``scores`` with the check by shuffled weights, ``units``, ``class_images``, ``inversions``.

    Raises
    ------
    LowparamError
        If images, labels or masks have another type or shape, a package is missing, or `out` is a file.
    """
    from lowparam.explanations.network import explain_network
    from lowparam.interference.profile_model import given_images

    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise LowparamError(f"out: {out} is a file; give a folder")
    name, net = type(model).__name__, model
    if isinstance(model, TrainedRun):
        name, net, classes = str(model.spec["architecture"]), model.model, classes or model.classes
    if not isinstance(net, nn.Module):
        raise LowparamError(f"model must be a torch.nn.Module or what load_run returns, not {type(net).__name__}")
    given = given_images(net, images, labels, normalisation=normalisation, classes=classes)
    found = explain_network(
        net, given, masks=None if masks is None else torch.as_tensor(np.asarray(masks)), methods=methods
    )
    if out is not None:
        from lowparam.report.explanation import write_explanation

        write_explanation(Path(out), name, found)
    return found


def _floating(key: str, images: np.ndarray | Tensor) -> Tensor:
    """Return images as the network takes them.

    Raises
    ------
    LowparamError
        If they are none.
    """
    found = images if isinstance(images, Tensor) else torch.from_numpy(np.asarray(images))
    if found.ndim != 4 or not found.is_floating_point() or not len(found):
        raise LowparamError(
            f"{key} must be floating point of shape (N, C, H, W), as transform() returns them, not "
            f"{str(found.dtype).removeprefix('torch.')} of shape {tuple(found.shape)}"
        )
    return found.detach().float().cpu()


def _split(images: Images) -> list[Any]:
    """Split what may be one image or several into a list of images."""
    if isinstance(images, str | Path | Image.Image):
        return [images]
    if isinstance(images, Tensor):
        images = images.numpy(force=True)
    if isinstance(images, np.ndarray):
        if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
            images = images.transpose(0, 2, 3, 1)
        return list(images) if images.ndim == 4 else [images]
    if not isinstance(images, Iterable):
        raise LowparamError(f"an image is a path, a PIL image, an array or a tensor, not {type(images).__name__}")
    return [each for image in images for each in _split(image)]


def _check_text(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise LowparamError(f"{key} must be a string, not {value!r}")


def _check_whole(key: str, value: object, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise LowparamError(f"{key} must be a whole number of at least {least}, not {value!r}")


def _picture(image: np.ndarray) -> Image.Image:
    """Make a PIL image of an array.

    Raises
    ------
    LowparamError
        If it is not uint8, or not (H, W), (H, W, 1), (H, W, 3) or (1 or 3, H, W).
    """
    if image.dtype != np.uint8:
        raise LowparamError(f"an image is uint8, from 0 to 255, not {image.dtype}")
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[2] not in (1, 3):
        image = image.transpose(1, 2, 0)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim != 2 and (image.ndim != 3 or image.shape[2] != 3):
        raise LowparamError(f"an image is (H, W), (H, W, 1) or (H, W, 3), not of shape {image.shape}")
    return Image.fromarray(np.ascontiguousarray(image))
