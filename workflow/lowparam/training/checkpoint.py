"""Store the state of a training in one file that proves that it is complete.

The name of the file contains the hash of its content. So a truncated or altered file is detected when it is read, and
an old checkpoint stays until the new one is complete.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.files import atomic, sha256
from lowparam.training.loop import Training

__all__ = ["pack", "remove", "restore", "save"]

PATTERN = "checkpoint-*.safetensors"


def pack(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return the content of a safetensors file, which knows no memory format but the contiguous one."""
    return serialize({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)


def save(training: Training, folder: Path, identity: dict[str, Any]) -> None:
    """Write the state after the last finished epoch, then delete the previous checkpoint.

    Weights, optimiser and averaged weights are stored; the learning rate and all random numbers follow from the
    position and the seed.

    Parameters
    ----------
    training : Training
        What to store.
    folder : Path
        One folder a run.
    identity : dict
        Identity of the run (`lowparam.runs.identity`); `restore` requires the same.

    Raises
    ------
    LowparamError
        If the folder cannot be written or the disk is full; the previous checkpoint is still there.
    """
    state = {"epoch": training.epoch, "history": training.history, "diverged_at_step": training.diverged_at_step}
    metadata = {"identity": json.dumps(identity, sort_keys=True), "state": json.dumps(state)}
    content = pack(_tensors(training), metadata)
    old = set(folder.glob(PATTERN))
    new = folder / f"checkpoint-{training.epoch:05d}-{hashlib.sha256(content).hexdigest()}.safetensors"
    with atomic(new) as temporary:
        temporary.write_bytes(content)
    for path in old - {new}:
        path.unlink()


def restore(training: Training, folder: Path, identity: dict[str, Any]) -> bool:
    """Resume from the checkpoint in a folder.

    Returns
    -------
    bool
        False if there is none, or if it belongs to another run or other code; `training` is then unchanged.

    Raises
    ------
    LowparamError
        If the checkpoint is damaged.
    """
    found = sorted(folder.glob(PATTERN))
    if not found:
        return False
    path = found[-1]
    if not path.stem.endswith(sha256(path)):
        raise LowparamError(f"{path} is damaged: its content does not have the hash in its name")
    with safe_open(path, "pt", device=str(training.device)) as file:
        metadata = file.metadata()
        if json.loads(metadata["identity"]) != identity:
            return False
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    _make_optimizer_state(training, tensors)
    for name, tensor in _tensors(training).items():
        tensor.copy_(tensors[name])
    state = json.loads(metadata["state"])
    training.epoch, training.history = state["epoch"], state["history"]
    training.diverged_at_step = state["diverged_at_step"]
    training.go_to_step(training.epoch * training.steps_per_epoch)
    return True


def remove(folder: Path) -> None:
    """Delete the checkpoints in a folder."""
    for path in folder.glob(PATTERN):
        path.unlink()


def _tensors(training: Training) -> dict[str, Tensor]:
    """Return all tensors of the state by name, as views: copying into them changes the training."""
    tensors = {f"net.{name}": tensor.detach() for name, tensor in training.net.state_dict().items()}
    if training.average is not None:
        tensors |= {f"average.{name}": tensor.detach() for name, tensor in training.average.state_dict().items()}
    for name, parameter in training.net.named_parameters():
        for key, value in training.optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{name}.{key}"] = value
    return tensors


def _make_optimizer_state(training: Training, tensors: dict[str, Tensor]) -> None:
    """Give the optimiser, which has no state before its first step, empty tensors laid out as it would make them."""
    for name, parameter in training.net.named_parameters():
        prefix = f"optimizer.{name}."
        for key in [stored.removeprefix(prefix) for stored in tensors if stored.startswith(prefix)]:
            stored = tensors[prefix + key]
            like = parameter.detach() if stored.shape == parameter.shape else stored
            training.optimizer.state[parameter][key] = torch.empty_like(like)
