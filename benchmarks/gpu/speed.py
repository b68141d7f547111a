"""Images a second of one training: ours, ours as a CUDA graph, and a textbook loop, on the same device."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from settings import core, specification
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from lowparam.data import Dataset, Images
from lowparam.models import network_for
from lowparam.params import Augment, Recipe
from lowparam.training.augment import generator
from lowparam.training.loop import Training

__all__ = ["rows"]

BUDGET, CLASSES, CHANNELS, PADDING = 100_000, 10, 3, 1
SIZES = {8: 4096, 32: 4096, 224: 512}
"""Training images at each size in pixels; 8 is that of digits, where a step is mostly launches of kernels."""


def images(count: int, size: int) -> Dataset:
    """Return random images: the time of a step does not depend on their content."""
    random = torch.Generator().manual_seed(0)

    def split(some: int) -> Images:
        pixels = torch.randint(0, 256, (some, CHANNELS, size, size), generator=random, dtype=torch.uint8)
        return Images(pixels, torch.randint(0, CLASSES, (some,), generator=random))

    names = [str(label) for label in range(CLASSES)]
    mean, std = torch.full((CHANNELS,), 127.0), torch.full((CHANNELS,), 74.0)
    few = min(64, count)
    return Dataset(split(count), split(few), split(few), names, mean, std)


def network(name: str, size: int) -> nn.Module:
    torch.manual_seed(0)
    return network_for(specification(name, BUDGET), classes=CLASSES, in_channels=CHANNELS, size=size)


def ours(name: str, data: Dataset, batch: int, device: torch.device) -> Callable[[], Any]:
    """Return an epoch of `lowparam train`, which includes an evaluation on 64 images."""
    return training(name, data, batch, device).run_epoch


def training(name: str, data: Dataset, batch: int, device: torch.device) -> Training:
    recipe = Recipe(epochs=100, batch_size=batch, lr=4e-3, weight_decay=0.05, augment=Augment(crop_padding=PADDING))
    return Training(network(name, data.size), data, recipe, seed=0, device=device)


def graphed(name: str, data: Dataset, batch: int, device: torch.device) -> Callable[[], Any]:
    """Return the same epoch without evaluation, whose steps are launched as one CUDA graph each.

    Forward pass, loss, backward pass and update of one batch are captured once and replayed; the images of each batch
    are drawn and changed as before and copied to where the graph reads them.
    """
    run = training(name, data, batch, device)
    run.net.train()
    for group in run.optimizer.param_groups:
        group["capturable"] = True
    first, _, targets = next(batches(run))
    first, targets = first.clone(memory_format=torch.preserve_format), targets.clone()

    def step() -> None:
        run.optimizer.zero_grad()
        with run.autocast:
            loss = run.loss(run.net(first), targets)
        loss.backward()
        run.optimizer.step()

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):  # torch's rule: a capture needs warm kernels and allocators
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def epoch() -> None:
        for some, _, labels in batches(run):
            first.copy_(some)
            targets.copy_(labels)
            graph.replay()

    return epoch


def batches(run: Training) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    return run.training_batches(generator(0, 0))


class Pictures(TorchDataset):
    """Images with labels, cut and normalised one by one on the CPU."""

    def __init__(self, data: Dataset) -> None:
        self.pixels, self.labels, self.size = data.train.pixels, data.train.labels.tolist(), data.size
        self.mean, self.std = data.mean.view(-1, 1, 1), data.std.view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = F.pad(self.pixels[index], [PADDING] * 4)
        top, left = torch.randint(0, 2 * PADDING + 1, (2,)).tolist()
        image = image[:, top : top + self.size, left : left + self.size]
        return (image.float() - self.mean) / self.std, self.labels[index]


def textbook(name: str, data: Dataset, batch: int, device: torch.device) -> Callable[[], Any]:
    """Return an epoch as a good engineer writes it in an afternoon: a DataLoader, float32, NCHW, AdamW."""
    net = network(name, data.size).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.05)
    workers = min(4, os.cpu_count() or 1) if device.type == "cuda" else 0
    loader = DataLoader(
        Pictures(data), batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0, pin_memory=workers > 0
    )

    def epoch() -> None:
        net.train()
        for some, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(some.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            loss.item()

    return epoch


LOOPS = {"ours": ours, "ours, CUDA graph": graphed, "textbook": textbook}


def rows(device: torch.device, *, small: bool, names: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield images a second of each network at each size; in the small form each loop sees 16 images twice."""
    seconds, batch = (0.0, 8) if small else (2.0, 64)
    for size, count in SIZES.items():
        data = images(16 if small else count, size)
        for name in names or core():
            row: dict[str, Any] = {"pixels": size, "network": name}
            for loop, make in LOOPS.items():
                if make is graphed and device.type != "cuda":
                    row[loop] = "needs a GPU"
                    continue
                try:
                    row[loop] = round(per_second(make(name, data, batch, device), len(data.train), device, seconds))
                except Exception as error:  # the others are still worth their time
                    row[loop] = f"failed: {type(error).__name__}: {str(error)[:100]}"
            if all(isinstance(row[loop], int) for loop in ("ours", "textbook")):
                row["x textbook"] = round(row["ours"] / max(1, row["textbook"]), 2)
            yield row


def per_second(epoch: Callable[[], Any], count: int, device: torch.device, seconds: float) -> float:
    """Return images a second over whole epochs that last at least so long, after one that is not counted."""
    epoch()
    wait(device)
    start, epochs = time.perf_counter(), 0
    while not epochs or time.perf_counter() - start < seconds:
        epoch()
        wait(device)
        epochs += 1
    return epochs * count / (time.perf_counter() - start)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
