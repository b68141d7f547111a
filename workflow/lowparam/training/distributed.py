"""Train on images that stay on disk, on one device or on many: what ImageNet needs.

`lowparam train` uses this where a data set is streamed. With more than one GPU it starts a process for each with
torchrun; each of them runs the same command again and finds itself among the others. The loop, the recipe, the
checkpoints and the published files are those of `train_scale.py`; only where batches come from and how processes add up
differ. Images are decoded, and changed by `photographs.py`, in workers of torch's DataLoader.
"""

import logging
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from filelock import FileLock, Timeout
from torch import Tensor
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from lowparam import data, paths, prepared_data, runs
from lowparam.data import Files, Streamed
from lowparam.data.decode import upright
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.models.skeletons.controlled import Network
from lowparam.params import Augment, Params, Recipe, Scale
from lowparam.training.augment import Draws, draw, mix
from lowparam.training.loop import Training, pick_device, should_compile
from lowparam.training.photographs import PhotographChanges
from lowparam.training.train_scale import seed_runs

__all__ = ["StreamedTraining", "count_processes", "leave_group", "load", "start_processes", "train_streamed"]

IN_MEMORY = ("crop_padding", "rotation")
"""Augmentation for images that have their size already."""


class Decoded(Dataset):
    """Images decoded and changed one by one, in the workers.

    Random numbers depend on seed, epoch and image, not on which worker has it.

    Parameters
    ----------
    files : Files
        The images.
    dataset : Streamed
        The data set that they are of.
    augment : Augment
        Random changes; without any, the pixels are those of `lowparam.data.decode.decode`.
    seed, epoch : int
        Decide the changes.
    """

    def __init__(self, files: Files, dataset: Streamed, augment: Augment, seed: int = 0, epoch: int = 0) -> None:
        self.files, self.seed, self.epoch = files, seed, epoch
        self.channels, self.value_range = dataset.in_channels, dataset.value_range
        self.changes = PhotographChanges(augment, dataset.size, dataset.mean)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return pixels, uint8 (C, H, W), and the label."""
        name, label = self.files[index]
        try:
            photograph = upright(
                Path(name).read_bytes(), self.channels, least=self.changes.least, value_range=self.value_range
            )
        except (OSError, ValueError) as error:
            raise LowparamError(f"{name} is not a readable image: {error}") from error
        state = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(3)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(state[0]))
            np.random.seed(state[1])
            random.seed(int(state[2]))
            return self.changes(photograph), label


class StreamedTraining(Training):
    """A training whose batches come from files and whose processes share each batch."""

    def __init__(self, net: Network, dataset: Streamed, recipe: Recipe, *, seed: int, device: torch.device) -> None:
        super().__init__(net, dataset, recipe, seed=seed, device=device)
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if self.world > 1:
            shared = DistributedDataParallel(self.net)
            pays = should_compile(device, recipe.epochs * self.steps_per_epoch)
            self.forward = torch.compile(shared) if pays else shared
        self.known: dict[tuple[int, str], dict[str, float]] = {}

    def training_batches(self, random: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield this process's share of each batch."""
        torch.manual_seed(random.initial_seed() + self.rank)  # dropout differs between the shares
        batches = draw(len(self.data.train), self.recipe.augment, random).batches(self.recipe.batch_size)
        mine = [Draws(*(field[self.rank :: self.world] for field in vars(batch).values())) for batch in batches]
        images = Decoded(self.data.train, self.data, self.recipe.augment, self.seed, self.epoch)
        loader = self._load(images, [batch.order.tolist() for batch in mine])
        for batch, (pixels, labels) in zip(mine, loader, strict=True):
            pixels, targets = mix(pixels, labels, batch.to(self.device), self.recipe.augment, len(self.data.classes))
            yield pixels.contiguous(memory_format=torch.channels_last), labels, targets

    def evaluation_batches(self, split: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of a split."""
        files = self.evaluated_images(split)
        mine = torch.arange(self.rank, len(files), self.world)
        size = max(1, self.recipe.batch_size // self.world)
        images = Decoded(files, self.data, Augment())
        yield from self._load(images, [rows.tolist() for rows in mine.split(size)])

    def _load(self, images: Decoded, batches: list[list[int]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield normalised images and labels on the device, decoded by as many workers as this process has cores."""
        workers = max(1, len(os.sched_getaffinity(0)) // self.world)
        pinned = self.device.type == "cuda"
        loader = DataLoader(images, batch_sampler=batches, num_workers=workers, pin_memory=pinned, prefetch_factor=4)
        try:
            for pixels, labels in loader:
                # Normalised here, because bytes travel four times as fast as floats.
                pixels = self.data.normalise(pixels.to(self.device, non_blocking=True))
                yield pixels.contiguous(memory_format=torch.channels_last), labels.to(self.device, non_blocking=True)
        except LowparamError as error:  # torch has wrapped it into the traceback of the worker
            raise LowparamError(str(error).strip().splitlines()[-1].partition("LowparamError: ")[2]) from None

    def evaluate(self, split: str) -> dict[str, float]:
        """Evaluate once an epoch, on all processes; asked again, give the same answer without them."""
        if (self.epoch, split) not in self.known:
            if self.world > 1:  # each process has statistics of its own share; those of the first are kept
                for buffer in self.evaluated.buffers():
                    dist.broadcast(buffer, 0)
            self.known[self.epoch, split] = super().evaluate(split)
        return self.known[self.epoch, split]

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over the processes."""
        if self.world > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values


def train_streamed(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path,
    work: Path | None = None,
    results: Path | None = None,
    device: str | None = None,
    again: bool = False,
) -> None:
    """Train all seeds of a scale on images that stay on disk; under torchrun, together with its other processes.

    Parameters, and what is written, are those of `lowparam.training.train_scale.train_scale`. With several processes
    batch norm sees a share of a batch in each, so their number changes the result; the same number gives the same
    result.

    Raises
    ------
    LowparamError
        If the data are missing, an image cannot be read, a folder cannot be written, the recipe has augmentation for
        images in memory, or another process trains the scale.
    """
    work = work or paths.unfinished(scale.experiment, scale.name)
    recipe, dataset = params.recipe(scale), load(params, scale, data_folder)
    torch_device = join_group(device)
    first, lock = is_first(), runs.lock_of(work)
    try:
        hold(lock, scale.name)
        images = prepared_data.images_sha256(read_json(data_folder / "manifest.json"))
        for run in seed_runs(params, scale, images, work=work, results=results, writes=first):
            run.wait = wait
            if again and first:
                run.discard()
            wait()
            if agree(run.is_published()):
                continue
            if not agree(run.is_done()):
                run.train(StreamedTraining, dataset, recipe, torch_device)
            if first:
                run.publish()
        wait()
        if first:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error
    finally:
        lock.release()


def load(params: Params, scale: Scale, data_folder: Path) -> Streamed:
    """Read the list of files of a scale's data set, and check that its recipe fits them.

    Raises
    ------
    LowparamError
        If the data are missing, or the recipe has augmentation for images in memory.
    """
    recipe = params.recipe(scale)
    for key in IN_MEMORY:
        if getattr(recipe.augment, key):
            name = params.experiment(scale.experiment).recipe
            raise LowparamError(
                f"params.yaml: recipes.{name}.augment.{key} is for images in memory; take it out for images that are "
                "streamed"
            )
    dataset = data.load(data_folder)
    assert isinstance(dataset, Streamed)  # params.yaml has stream: true
    return dataset


def hold(lock: FileLock, name: str) -> None:
    """Take the lock of a scale in the first process, for all.

    Raises
    ------
    LowparamError
        If another job has it; the other processes end without a word.
    """
    free = True
    if is_first():
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            free = False
    if not agree(free):
        if not is_first():
            sys.exit(1)
        raise LowparamError(f"another job trains {name}; start again when it has ended ({lock.lock_file})")


def count_processes(device: str | None) -> int:
    """Return how many processes share a training: one for each GPU, or one if there is none or a device is given."""
    return max(1, torch.cuda.device_count()) if pick_device(device) == torch.device("cuda") else 1


def start_processes(count: int, arguments: list[str]) -> int:
    """Run ``lowparam`` with these arguments in `count` processes that know of each other; return the exit code."""
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # a process that fails prints the reason
    command = ["--standalone", "--nproc-per-node", str(count), "-m", "lowparam.cli", *arguments]
    try:
        torchrun(command)
    except ChildFailedError as error:
        return max(1, next(iter(error.failures.values())).exitcode)
    return 0


def join_group(device: str | None) -> torch.device:
    """Join the processes that torchrun started, if it did, and return the device of this one."""
    where = pick_device(device)
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        if where.type == "cuda":
            where = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(where)
        dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    return where


def leave_group() -> None:
    """Leave the process group."""
    if dist.is_initialized():
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return not dist.is_initialized() or dist.get_rank() == 0


def wait() -> None:
    """Wait for the other processes."""
    if dist.is_initialized():
        dist.barrier()


def agree(answer: bool) -> bool:
    """Take the answer of the first process for all, because files may change between two checks."""
    answers = [answer]
    if dist.is_initialized():
        dist.broadcast_object_list(answers, 0)
    return answers[0]
