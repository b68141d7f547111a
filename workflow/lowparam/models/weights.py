"""Weights that somebody gives as a file: read without running anything, and fitted to a network of timm."""

import sys
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from lowparam.errors import LowparamError

__all__ = ["fit", "read_weights"]

WRAPPERS = ("module.", "_orig_mod.", "state_dict.", "model.", "net.", "network.", "backbone.")
"""What DataParallel, torch.compile, trainers and our own runs put before every name."""
PICKLE = "a pickle of PyTorch"
KINDS = {
    b"version https://git-lfs": "a pointer of Git LFS and not the weights; run: git lfs pull",
    b"\x80": PICKLE,  # of torch.save before 1.6
    b"PK": "an archive that is cut off, perhaps of torch.save",
    b"\x93NUMPY": "an array of NumPy",
    b"\x89HDF": "an HDF5 file",
    b"GGUF": "a GGUF file",
    b"\x1f\x8b": "packed by gzip",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstandard",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x1c\x00\x00\x00TFL3": "a TensorFlow Lite file",
    b"\x08": "a protocol buffer, perhaps of ONNX or TensorFlow",
    b"\xff\xd8\xff": "a picture",
    b"\x89PNG": "a picture",
    b"<?xml": "an XML file, perhaps of OpenVINO",
    b"<": "a web page, perhaps of an error",
    b"{": "JSON, perhaps the index of several files",
}
"""What files begin with that are taken for weights."""
WANTED = "give a safetensors file"
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, without the wrappers around its names.

    Raises
    ------
    LowparamError
        If the file is missing or is something else, or has values that are no numbers; the message tells what it is and
        what is wanted.
    """
    try:
        kind = _kind(path)
        if kind == PICKLE:
            raise LowparamError(
                f"{path} is {PICKLE}, which may run code when it is read; where it comes from, save its tensors with "
                "safetensors.torch.save_file, and give that file"
            )
        if kind is not None:
            raise LowparamError(f"{path} is {kind}" + ("" if "run:" in kind else f"; {WANTED}"))
        state = load_file(path)
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist") from error
    except (OSError, SafetensorError) as error:
        raise LowparamError(f"{path} is not a safetensors file, or is damaged: {error}") from error
    state = _unwrapped(state)
    if not state:
        raise LowparamError(f"{path} has no tensors; {WANTED}")
    return {name: _checked(tensor, f"{path}: {name}") for name, tensor in state.items()}


def _checked(tensor: Tensor, what: str) -> Tensor:
    """Return a tensor of numbers as float32, and whole ones as they are; refuse what no network can have."""
    if tensor.is_floating_point() and tensor.dtype not in FLOATS:
        raise LowparamError(f"{what} is {_type(tensor)}, which needs scales that a network has not; save it as float32")
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.float()
    if not torch.isfinite(tensor).all():
        raise LowparamError(f"{what} has values that are no finite numbers, as after a training that diverged")
    if what.endswith("running_var") and (tensor < 0).any():
        raise LowparamError(f"{what} has negative values, which no variance has: the file is damaged")
    return tensor


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what is before all names; what a trainer stored next to the weights, such as the epoch, is left out."""
    if any(key.startswith("state_dict.") for key in state):
        state = {key: tensor for key, tensor in state.items() if key.startswith("state_dict.")}
    while True:
        named = {key: tensor for key, tensor in state.items() if "." in key}
        wrapper = next((w for w in WRAPPERS if named and all(key.startswith(w) for key in named)), None)
        if wrapper is None:
            return state
        state = {key.removeprefix(wrapper): tensor for key, tensor in named.items()}


def _kind(path: Path) -> str | None:
    """Tell what a file is, in words, if it cannot be of safetensors."""
    if path.is_dir():
        return "a folder"
    with path.open("rb") as file:
        start = file.read(32)
        file.seek(257)
        is_tar = file.read(5) == b"ustar"
    if not start:
        return "empty"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:  # whatever it begins with
        return None
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
        return PICKLE if any(name.endswith("data.pkl") for name in names) else f"an archive of {', '.join(names[:3])}"
    if is_tar:
        return "a tar archive"
    return next((kind for mark, kind in KINDS.items() if start.startswith(mark)), None)


def fit(net: nn.Module, state: dict[str, Tensor]) -> bool:
    """Load weights into a network of timm, which may have other classes or input channels than they were trained on.

    The first layer is adapted to the channels as timm does for its own weights, and a classifier of other classes stays
    random.

    Parameters
    ----------
    net : nn.Module
        The network of timm itself.
    state : dict of str to Tensor
        By timm's names, or by those that timm converts.

    Returns
    -------
    bool
        Whether the classifier is that of the file.

    Raises
    ------
    LowparamError
        If they are the weights of another network.
    """
    convert = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        try:
            state = dict(convert(state, net))
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise LowparamError(f"the weights are those of another network: {' '.join(str(error).split())}") from error
    own = net.state_dict()
    fitted, of_classifier = {}, _names(net, net.pretrained_cfg.get("classifier"))
    missing = own.keys() - state.keys() - of_classifier
    unknown = state.keys() - own.keys() - of_classifier
    if missing or unknown:
        names = [f"it {verb} {min(names)}" for verb, names in (("lacks", missing), ("has", unknown)) if names]
        raise LowparamError(f"the file holds the weights of another network: {' and '.join(names)}")
    first = _names(net, net.pretrained_cfg.get("first_conv"))
    for name, tensor in state.items():
        wanted = own.get(name)
        if name in of_classifier and (wanted is None or tensor.shape != wanted.shape):
            continue
        if wanted.is_floating_point() and not tensor.is_floating_point():
            raise LowparamError(
                f"{name} is {_type(tensor)} in the file, as of a quantised network, which has scales next to it; give "
                "the weights as float32"
            )
        of_colours = tensor.ndim == 4 and (tensor.shape[1] == 1 or tensor.shape[1] % 3 == 0)
        if name in first and of_colours and tensor.shape[1] != wanted.shape[1]:
            tensor = _of_channels(tensor, wanted.shape[1])
        if tensor.shape != wanted.shape:
            raise LowparamError(
                f"the file holds the weights of another network: {name} is {tuple(tensor.shape)}, not "
                f"{tuple(wanted.shape)}"
            )
        fitted[name] = tensor
    net.load_state_dict(fitted, strict=False)
    return of_classifier <= fitted.keys()


def _of_channels(weight: Tensor, channels: int) -> Tensor:
    """Adapt the first convolution to other channels; from grey, each channel gets an equal share."""
    if weight.shape[1] == 1:
        return weight.repeat(1, channels, 1, 1) / channels
    return adapt_input_conv(channels, weight)


def _names(net: nn.Module, modules: str | tuple[str, ...] | None) -> set[str]:
    """Return the names of the tensors of some modules."""
    places = (modules,) if isinstance(modules, str) else modules or ()
    return {
        f"{place}.{name}"
        for place in places
        for name in (net.get_submodule(place).state_dict() if place in dict(net.named_modules()) else ())
    }
