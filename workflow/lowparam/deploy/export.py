"""Export a network to another runtime, and check the file against torch on images that it was not trained on."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lowparam.deploy.images import Inputs
from lowparam.deploy.packages import need
from lowparam.deploy.program import program_of
from lowparam.deploy.runtime import Logits, logits_of, quantise, to_onnx
from lowparam.errors import LowparamError
from lowparam.files import atomic, write_json
from lowparam.threads import one_thread

__all__ = ["CALIBRATION", "FORMATS", "MOST_IMAGES", "agreement", "export"]

FORMATS = {"onnx": ".onnx", "onnx-int8": ".int8.onnx", "torch": ".pt2"}
"""What a network can be exported to, with the suffix of the file."""

MOST_IMAGES, CALIBRATION = 10_000, 256
"""Images that an export is checked on, and that the scales of 8 bits come from, at most."""

TOLERANCE = 1e-3
"""Difference of logits, as a share of the largest one (at least 1), above which an export of 32 bits is refused."""

ABOUT = "lowparam.json"
"""Where a program of torch has its metadata, among its extra files."""


@one_thread()
def export(
    model: nn.Module,
    path: Path,
    to: str,
    *,
    test: Inputs,
    calibration: Inputs | None = None,
    about: Mapping[str, str],
    name: str = "the network",
) -> dict[str, Any]:
    """Write a network as a file for another runtime, check it against torch, and write what that showed next to it.

    Parameters
    ----------
    model : nn.Module
        Maps images (N, C, H, W) to logits (N, K), in eval mode.
    path : Path
        The file to write; what the check showed goes to the same name followed by ``.json``.
    to : {"onnx", "onnx-int8", "torch"}
        The format.
    test : Inputs
        Images to check on, with labels if accuracy is to be computed.
    calibration : Inputs, optional
        Images that the scales of 8 bits come from; needed by ``onnx-int8``.
    about : mapping of str to str
        Metadata.
    name : str
        How messages call the network.

    Returns
    -------
    dict
        ``images``, ``largest_difference`` of a logit, ``largest_logit``, ``same_predictions`` (images), ``bytes`` of
        the file, and ``accuracy`` and ``accuracy_torch`` if there are labels.

    Raises
    ------
    LowparamError
        If the network cannot be exported, with the operator that is missing; if a package is missing; or if a file
        of 32 bits does not compute what torch computes. No file is written then.
    """
    if to not in FORMATS:
        raise LowparamError(f"--to must be {', '.join(FORMATS)}, not {to!r}")
    if to != "torch":
        need("onnx", "onnxscript", "onnxruntime")
    channels, height, width = next(iter(test))[0].shape[1:]
    program = program_of(model, (channels, height, width), name=name)
    with atomic(path) as temporary:
        if to == "torch":
            torch.export.save(program, temporary, extra_files={ABOUT: json.dumps(dict(about))})
            run: Logits = torch.export.load(temporary).module()
        elif to == "onnx":
            to_onnx(program, temporary, about, name=name)
            run = logits_of(temporary)
        else:
            assert calibration is not None, "8 bits need images to calibrate on"
            with tempfile.TemporaryDirectory() as folder:
                whole = Path(folder) / "whole.onnx"
                to_onnx(program, whole, about, name=name)
                quantise(whole, temporary, calibration)
            run = logits_of(temporary)
        found: dict[str, Any] = {"format": to, **agreement(model, run, test), "bytes": temporary.stat().st_size}
        if to != "onnx-int8" and found["largest_difference"] > TOLERANCE * max(1.0, found["largest_logit"]):
            raise LowparamError(
                f"{name} as {to} does not compute what torch does: logits differ by {found['largest_difference']:.2g}"
            )
    write_json(path.with_name(f"{path.name}.json"), found)
    return found


@torch.inference_mode()
def agreement(model: nn.Module, run: Logits, test: Inputs) -> dict[str, Any]:
    """Compare what an exported network says of images with what torch says; the keys are those of `export`."""
    difference, largest, same, right, right_torch = 0.0, 0.0, 0, 0, 0
    model = model.eval()
    for images, labels in test:
        ours, theirs = model(images), run(images)
        difference = max(difference, (ours - theirs).abs().max().item())
        largest = max(largest, ours.abs().max().item())
        same += int((ours.argmax(1) == theirs.argmax(1)).sum())
        if labels is not None:
            right += int((theirs.argmax(1) == labels).sum())
            right_torch += int((ours.argmax(1) == labels).sum())
    found: dict[str, Any] = {
        "images": len(test),
        "largest_difference": difference,
        "largest_logit": largest,
        "same_predictions": same,
    }
    if test.labels is not None:
        found |= {"accuracy": right / len(test), "accuracy_torch": right_torch / len(test)}
    return found
