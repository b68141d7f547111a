"""Train one small network as a good engineer would in an afternoon: the loop that lowparam is compared with.

PIL images with torchvision's transforms, a DataLoader, torch's default memory format and number of threads, AdamW with
a cosine schedule, one process per run.

    python benchmarks/textbook.py mobilenetv2 25000 0 10 results/data/digits weights.pt
"""

import sys

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lowparam import data
from lowparam.models import network_for

BATCH = 64
WORKERS = 0  # for images this small, two workers make it three times as slow (measured)


class Pictures(Dataset):
    """Images with labels, transformed one by one."""

    def __init__(self, pixels, labels, transform):
        squeezed = pixels.permute(0, 2, 3, 1).squeeze(3).numpy()
        self.images = [Image.fromarray(image) for image in squeezed]
        self.labels = labels.tolist()
        self.transform = transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index]), self.labels[index]


def loaders(dataset, padding):
    """Return the DataLoaders of the training and the validation split."""
    normalise = [
        transforms.ToTensor(),
        transforms.Normalize((dataset.mean / 255).tolist(), (dataset.std / 255).tolist()),
    ]
    crop = transforms.RandomCrop(dataset.size, padding=padding)
    train = Pictures(dataset.train.pixels, dataset.train.labels, transforms.Compose([crop, *normalise]))
    validation = Pictures(dataset.validation.pixels, dataset.validation.labels, transforms.Compose(normalise))
    options = {"batch_size": BATCH, "num_workers": WORKERS, "persistent_workers": WORKERS > 0}
    return DataLoader(train, shuffle=True, drop_last=True, **options), DataLoader(validation, **options)


def train_epoch(net, loader, optimizer, scheduler, criterion):
    """Train for one pass over the images; return the mean loss."""
    net.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    return total / len(loader)


@torch.no_grad()
def accuracy(net, loader):
    """Return the share of images that are classified correctly."""
    net.eval()
    correct = sum((net(images).argmax(1) == labels).sum().item() for images, labels in loader)
    return correct / len(loader.dataset)


def main(architecture, budget, seed, epochs, folder, output):
    dataset = data.load(folder)
    spec = {
        "mode": "controlled", "architecture": architecture, "probe": "none", "budget": int(budget),
        "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4,
    }  # fmt: skip
    torch.manual_seed(int(seed))
    net = network_for(spec, classes=len(dataset.classes), in_channels=dataset.in_channels, size=dataset.size)
    train, validation = loaders(dataset, padding=1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, int(epochs))
    for epoch in range(int(epochs)):
        loss = train_epoch(net, train, optimizer, scheduler, nn.CrossEntropyLoss())
        print(f"epoch {epoch + 1}: loss {loss:.4f}, validation accuracy {accuracy(net, validation):.4f}")
    torch.save(net.state_dict(), output)


if __name__ == "__main__":
    main(*sys.argv[1:])
