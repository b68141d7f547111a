"""Training on image folders, on one device or on many: what ImageNet needs.

Start it with torchrun, a process a GPU; it also runs alone, and without a GPU:

    torchrun --nproc-per-node 8 -m lowparam.training.distributed imagenet mobilenetv2-base-1M /data/imagenet

The loop, the recipe, the checkpoints and the published files are those of `job.py`; only where batches come from and
how processes add up differ. Images are decoded and changed by workers of torch's DataLoader with timm's transforms.
"""

import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import timm.data
import torch
import torch.distributed as dist
import typer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import pil_loader

from lowparam import __version__
from lowparam import params as parameters
from lowparam.data import PARTS
from lowparam.errors import LowparamError
from lowparam.models import network_for
from lowparam.models.cost import cost
from lowparam.params import Params, Recipe, Run, Scale, run_spec
from lowparam.provenance import code_sha256
from lowparam.training import checkpoint
from lowparam.training.augment import Draws, draw, mix
from lowparam.training.job import Seed, alone, shape
from lowparam.training.loop import Training, pick_device

__all__ = ["FolderTraining", "Folders", "train_folders"]

WORKERS = max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
HELD_OUT = 50  # where there is no test folder, one training image in so many becomes the validation part


class Folders:
    """Images in ``train/<class>/``, ``val/<class>/`` and perhaps ``test/<class>/``; only their names are in memory.

    Where there is no ``test``, as in ImageNet, ``val`` is what accuracy is reported on, as everywhere in the
    literature, and every 50th training image is set aside to choose settings by.

    Parameters
    ----------
    root : Path
        The folder that has these folders.
    size : int
        Height and width in pixels that networks see.

    Raises
    ------
    LowparamError
        If a folder is missing or a class has no images.
    """

    in_channels = 3

    def __init__(self, root: Path, size: int) -> None:
        self.size = size
        parts = {part: self._read(root / part) for part in ("train", "val", "test") if (root / part).is_dir()}
        missing = [part for part in ("train", "val") if part not in parts]
        if missing:
            raise LowparamError(f"{root / missing[0]} does not exist; it should have a folder of images for each class")
        self.classes = sorted(path.name for path in (root / "train").iterdir() if path.is_dir())
        if "test" in parts:
            self.train, self.validation, self.test = parts["train"], parts["val"], parts["test"]
        else:
            self.validation, self.test = parts["train"][::HELD_OUT], parts["val"]
            self.train = [sample for number, sample in enumerate(parts["train"]) if number % HELD_OUT]
        samples = [sample for part in parts.values() for sample in part]
        files = sorted((str(Path(name).relative_to(root)), os.path.getsize(name)) for name, _ in samples)
        self.sha256 = hashlib.sha256(json.dumps(files).encode()).hexdigest()

    @staticmethod
    def _read(folder: Path) -> list[tuple[str, int]]:
        try:
            return ImageFolder(folder).samples
        except FileNotFoundError as error:
            raise LowparamError(f"{folder}: {' '.join(str(error).split())}") from error

    def to(self, device: torch.device) -> "Folders":
        """Stay where they are: on disk."""
        return self


class Decoded(Dataset):
    """Images decoded and changed one by one, in the workers.

    Random numbers depend on seed, epoch and image, not on which worker has it.
    """

    def __init__(self, samples: list[tuple[str, int]], transform: Callable, seed: int, epoch: int) -> None:
        self.samples, self.transform, self.seed, self.epoch = samples, transform, seed, epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        name, label = self.samples[index]
        state = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(3)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(state[0]))
            np.random.seed(state[1])
            random.seed(int(state[2]))
            try:
                return self.transform(pil_loader(name)), label
            except OSError as error:
                raise LowparamError(f"{name} is not a readable image: {error}") from error


class FolderTraining(Training):
    """A training whose batches come from image folders and whose processes share each batch."""

    def __init__(self, net: nn.Module, data: Folders, recipe: Recipe, *, seed: int, device: torch.device) -> None:
        super().__init__(net, data, recipe, seed=seed, device=device)
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if self.world > 1:
            self.forward = DistributedDataParallel(self.net)
        self.known: dict[tuple[int, str], dict[str, float]] = {}
        augment, image = recipe.augment, (3, data.size, data.size)
        self.change = timm.data.create_transform(
            image,
            is_training=True,
            scale=(augment.crop_area, 1.0),
            hflip=0.5 if augment.flip else 0.0,
            color_jitter=augment.color_jitter or None,
            auto_augment=augment.rand_augment,
            re_prob=augment.erasing,
        )
        self.leave = timm.data.create_transform(image, is_training=False)

    def training_batches(self, random: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield this process's share of each batch."""
        batches = draw(len(self.data.train), self.recipe.augment, random).batches(self.recipe.batch_size)
        mine = [Draws(*(field[self.rank :: self.world] for field in vars(batch).values())) for batch in batches]
        images = Decoded(self.data.train, self.change, self.seed, self.epoch)
        loader = self._load(images, [batch.order.tolist() for batch in mine])
        for batch, (pixels, labels) in zip(mine, loader, strict=True):
            pixels, labels = self._move(pixels), labels.to(self.device, non_blocking=True)
            pixels, targets = mix(pixels, labels, batch.to(self.device), self.recipe.augment, len(self.data.classes))
            yield pixels.contiguous(memory_format=torch.channels_last), labels, targets

    def evaluation_batches(self, part: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of a part."""
        samples = getattr(self.data, part)
        mine = torch.arange(self.rank, len(samples), self.world)
        size = max(1, self.recipe.batch_size // self.world)
        loader = self._load(Decoded(samples, self.leave, 0, 0), [rows.tolist() for rows in mine.split(size)])
        for pixels, labels in loader:
            yield self._move(pixels), labels.to(self.device, non_blocking=True)

    def _load(self, images: Decoded, batches: list[list[int]]) -> DataLoader:
        return DataLoader(
            images, batch_sampler=batches, num_workers=WORKERS, pin_memory=self.device.type == "cuda", prefetch_factor=4
        )

    def _move(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.device, memory_format=torch.channels_last, non_blocking=True)

    def evaluate(self, part: str) -> dict[str, float]:
        """Evaluate once an epoch, on all processes; asked again, give the same answer without them."""
        if (self.epoch, part) not in self.known:
            if self.world > 1:  # each process has statistics of its own share; those of the first are kept
                for buffer in self.evaluated.buffers():
                    dist.broadcast(buffer, 0)
            self.known[self.epoch, part] = super().evaluate(part)
        return self.known[self.epoch, part]

    def total(self, values: Tensor) -> Tensor:
        if self.world > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values


class SharedSeed(Seed):
    """A run that several processes train; only the first writes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.first = not dist.is_initialized() or dist.get_rank() == 0

    def train(self, loop: type[Training], dataset: Folders, recipe: Recipe, device: torch.device) -> None:
        with torch.device("meta"):  # before the seed is set, because solving for the width may draw
            price = cost(network_for(self.spec, **shape(dataset)), dataset.in_channels, dataset.size)
        torch.manual_seed(self.spec["seed"])
        training = loop(
            network_for(self.spec, **shape(dataset)), dataset, recipe, seed=self.spec["seed"], device=device
        )
        checkpoint.restore(training, self.work, self.identity)
        while not training.finished:
            row = training.run_epoch()
            if self.first:
                checkpoint.save(training, self.work, self.identity)
                print(
                    f"{self.name} epoch {row['epoch']}/{recipe.epochs}: loss {row['train_loss']:.4f}, "
                    f"validation accuracy {row['validation_accuracy']:.4f}",
                    flush=True,
                )
            wait()
        if training.diverged_at_step is None:
            for part in PARTS:
                training.evaluate(part)
        if self.first:
            self._write(training, price)
            checkpoint.remove(self.work)


def train_folders(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path,
    size: int = 224,
    work: Path = Path(".lowparam/runs"),
    results: Path | None = None,
    device: str | None = None,
) -> None:
    """Train all seeds of a scale on image folders; under torchrun, with all its processes.

    Parameters are those of `lowparam.training.job.train_scale`, and what is written is the same. ``size`` is the
    height and width in pixels that networks see.

    Raises
    ------
    LowparamError
        If the data are not as `Folders` wants them, an image cannot be read, or a folder cannot be written.
    """
    results, work = Path(results or scale.folder), Path(work, scale.experiment, scale.name)
    where = start(device)
    dataset = Folders(data_folder, size)
    code = hashlib.sha256(Path(__file__).read_bytes())
    code.update(code_sha256("train", architecture=scale.architecture).encode())
    made_with = {
        "lowparam": __version__,
        "torch": torch.__version__,
        "data_sha256": dataset.sha256,
        "code_sha256": code.hexdigest(),
    }
    recipe = params.recipe(scale)
    first = not dist.is_initialized() or dist.get_rank() == 0
    with alone(work) if first else nullcontext():
        wait()
        for seed in params.experiment(scale.experiment).seeds:
            job = SharedSeed(run_spec(params, Run(scale, seed)), made_with, work, results)
            if not agree(job.is_published()):
                if not agree(job.is_done()):
                    job.train(FolderTraining, dataset, recipe, where)
                if first:
                    job.publish()
        wait()
        if first:
            shutil.rmtree(work, ignore_errors=True)


def start(device: str | None) -> torch.device:
    """Join the processes that torchrun started, if it did, and return the device of this one."""
    where = pick_device(device)
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        if where.type == "cuda":
            where = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(where)
        dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    return where


def wait() -> None:
    """Wait for the other processes."""
    if dist.is_initialized():
        dist.barrier()


def agree(answer: bool) -> bool:
    """Take the answer of the first process for all, because files may change between two looks."""
    answers = [answer]
    if dist.is_initialized():
        dist.broadcast_object_list(answers, 0)
    return answers[0]


def main(
    experiment: Annotated[str, typer.Argument(help="Name of an experiment in params.yaml.")],
    scale: Annotated[str, typer.Argument(help="A scale of it, such as mobilenetv2-base-1M.")],
    data: Annotated[Path, typer.Argument(help="Folder with train/<class>/ and val/<class>/.")],
    size: Annotated[int, typer.Option(help="Height of the images that networks see, in pixels.")] = 224,
) -> None:
    """Train all seeds of one scale on image folders."""
    params = parameters.load()
    known = {one.name: one for one in params.scales(experiment)}
    try:
        if scale not in known:
            raise LowparamError(f"experiment {experiment} has no scale {scale}; it has {', '.join(known)}")
        train_folders(params, known[scale], data_folder=data, size=size)
    except LowparamError as error:
        sys.exit(f"lowparam: {error}")
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


if __name__ == "__main__":
    typer.run(main)
