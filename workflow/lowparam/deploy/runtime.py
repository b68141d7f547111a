"""Write ONNX files, with 32 bits or quantised to 8, and run them in one thread of onnxruntime."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lowparam.deploy.images import Inputs
from lowparam.deploy.packages import need
from lowparam.deploy.program import INPUT, OUTPUT, one_line
from lowparam.errors import LowparamError

__all__ = ["Logits", "logits_of", "quantise", "to_onnx"]

Logits = Callable[[Tensor], Tensor]
"""From images, float32 (N, C, H, W), to logits, float32 (N, K)."""


def to_onnx(program: torch.export.ExportedProgram, path: Path, about: Mapping[str, str], *, name: str) -> None:
    """Write a program as an ONNX file, with what a user must know in its metadata.

    Raises
    ------
    LowparamError
        If onnx, onnxscript or onnxruntime is missing, or ONNX has no operator for one of the program's; the message
        names it.
    """
    onnx = need("onnx", "onnxscript", "onnxruntime")
    try:
        with _quiet():
            exported = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
            )
    except Exception as error:  # torch's and onnxscript's errors have no common ancestor
        raise LowparamError(f"{name} cannot be exported to ONNX: {one_line(error)}") from error
    assert exported is not None
    model = exported.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in this machine's source each comes from, most of a small file
        part.doc_string = ""
    onnx.helper.set_model_props(model, dict(about))
    onnx.save_model(model, str(path))


def quantise(path: Path, out: Path, calibration: Inputs) -> None:
    """Write an ONNX file with weights and activations of 8 bits (onnxruntime's static quantisation).

    Weights have one scale a channel, symmetric; activations one a map, from the least and the largest value that the
    calibration images give there. Accumulators and biases have 32 bits, and the logits are float32.
    """
    onnx = need("onnx", "onnxruntime")
    with _quiet():
        quantization = need("onnxruntime.quantization")
        shape_inference = need("onnxruntime.quantization.shape_inference")
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            shape_inference.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(prepared),
                str(out),
                _Reader(calibration),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
            )
    before, after = onnx.load(str(path)), onnx.load(str(out))
    onnx.helper.set_model_props(after, {entry.key: entry.value for entry in before.metadata_props})
    onnx.save_model(after, str(out))


def logits_of(path: Path) -> Logits:
    """Open an ONNX file in onnxruntime, in one thread on the CPU."""
    runtime = need("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    one = session.get_inputs()[0].shape[0] == 1  # of a network whose code depends on the number of images

    def run(images: Tensor) -> Tensor:
        given = [images.numpy()] if not one else [images[row : row + 1].numpy() for row in range(len(images))]
        return torch.from_numpy(np.concatenate([session.run([OUTPUT], {INPUT: part})[0] for part in given]))

    return run


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Keep back what exporters print and warn about while they work; what is wrong they raise."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


class _Reader:
    """Gives onnxruntime the calibration images one at a time."""

    def __init__(self, images: Inputs) -> None:
        self.left = ({INPUT: image[None].numpy()} for batch, _ in images for image in batch)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next image by the name of the input; None after the last."""
        return next(self.left, None)
