"""Train a network in ten honest lines: the loop to beat for images that fit in memory.

Pixels stay uint8 in one tensor, a batch is an index, and one thread computes. There is no augmentation and no
evaluation, which is to this loop's advantage.
"""

import torch
import torch.nn.functional as F

__all__ = ["train_epoch"]


def train_epoch(net, pixels, labels, mean, std, optimizer, scheduler, memory_format, batch=64):
    """Train for one pass over the images: pixels (N, C, H, W) as bytes."""
    net.train()
    for index in torch.randperm(len(labels)).split(batch):
        images = ((pixels[index].float() - mean) / std).contiguous(memory_format=memory_format)
        loss = F.cross_entropy(net(images), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
