"""Define the training loops that are compared: each returns a function that trains a network for one epoch."""

import os
from functools import partial

import ten_lines
import timm
import torch
from textbook import loaders, train_epoch
from torch import nn

from lowparam import params
from lowparam.data import Dataset, Images
from lowparam.models import network_for
from lowparam.training.loop import Training

__all__ = ["NETWORKS", "SIDES"]

NETWORKS = [
    "mobilenetv1",
    "mobilenetv2",
    "mobilenetv3",
    "mobilenext",
    "convnext",
    "nodepth_a",
    "timm:mobilenetv3_small_050",
]
BUDGET = 100_000
RECIPE = params.Recipe(epochs=10, batch_size=64, lr=4e-3, weight_decay=0.05, augment=params.Augment(crop_padding=1))


def dataset(size):
    """Return random images: the time of a step does not depend on their content."""
    random = torch.Generator().manual_seed(0)

    def images(count):
        pixels = torch.randint(0, 256, (count, 1, size, size), generator=random, dtype=torch.uint8)
        return Images(pixels, torch.randint(0, 10, (count,), generator=random))

    count = 1024 if size < 16 else 384
    classes = [str(digit) for digit in range(10)]
    return Dataset(images(count), images(64), images(64), classes, torch.tensor([127.0]), torch.tensor([74.0]))


def network(name, size):
    """Build a network by name, at the budget if it has one."""
    spec = {
        "mode": "controlled", "architecture": name, "probe": "none", "budget": BUDGET,
        "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4,
    }  # fmt: skip
    torch.manual_seed(0)
    return network_for(spec, classes=10, in_channels=1, size=size)


def ours(name, size):
    torch.set_num_threads(1)
    data = dataset(size)
    training = Training(network(name, size), data, RECIPE, seed=0, device=torch.device("cpu"))
    # Includes evaluation on the validation split, which is small; the textbook's epoch leaves it out.
    return training.run_epoch, len(data.train)


def ours_without(name, size):
    os.environ["LOWPARAM_COMPILED"] = "0"
    return ours(name, size)


def plain(name, size):
    """Return a network as torch has it, an optimiser and a schedule."""
    if name.startswith("timm:"):
        net = timm.create_model(name.removeprefix("timm:"), num_classes=10, in_chans=1)
    else:
        net = network(name, size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RECIPE.lr, weight_decay=RECIPE.weight_decay)
    return net, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, RECIPE.epochs)


def textbook(name, size):
    data = dataset(size)
    net, optimizer, scheduler = plain(name, size)
    train, _ = loaders(data, padding=RECIPE.augment.crop_padding)
    return lambda: train_epoch(net, train, optimizer, scheduler, nn.CrossEntropyLoss()), len(data.train)


def textbook_one_thread(name, size):
    torch.set_num_threads(1)
    return textbook(name, size)


def ten(name, size, memory_format):
    torch.set_num_threads(1)
    data = dataset(size)
    net, optimizer, scheduler = plain(name, size)
    net.to(memory_format=memory_format)
    mean, std = data.mean.view(1, -1, 1, 1), data.std.view(1, -1, 1, 1)
    train = data.train
    return (
        lambda: ten_lines.train_epoch(
            net, train.pixels, train.labels, mean, std, optimizer, scheduler, memory_format, RECIPE.batch_size
        ),
        len(train),
    )


SIDES = {
    "ours": ours,
    "ours, not compiled": ours_without,
    "ten lines": partial(ten, memory_format=torch.channels_last),
    "ten lines, NCHW": partial(ten, memory_format=torch.contiguous_format),
    "textbook": textbook,
    "textbook, 1 thread": textbook_one_thread,
}
