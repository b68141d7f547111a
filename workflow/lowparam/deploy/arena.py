"""Plan the memory of activations as TensorFlow Lite for Microcontrollers does: one arena, in which buffers have places.

The largest sum of live tensors (`lowparam.models.cost.peak_activation_elements`) is a lower bound of what a device
needs. An allocator also has gaps: a buffer keeps its place as long as it lives, and is in one piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_leaves

from lowparam.models.cost import Trace, shapes_only

__all__ = ["ALIGNMENT", "Buffer", "arena_bytes", "buffers", "places"]

ALIGNMENT = 16
"""Bytes that the beginning of a buffer is a multiple of (``MicroArenaBufferAlignment`` of TFLite-micro)."""


@dataclass(frozen=True)
class Buffer:
    """Memory of a number of values, needed from one operation to another, both included."""

    values: int
    first: int
    last: int


def buffers(net: nn.Module, in_channels: int, size: int) -> list[Buffer]:
    """List the buffers of a forward pass of one image, in the order in which they are first written.

    As for `peak_activation_elements`, the image is one of them, views take none, and an element-wise operation or a
    norm writes into the buffer of its input where nobody reads that later.
    """
    shapes = shapes_only(net)
    image = torch.empty(1, in_channels, size, size, device="meta")
    with torch.no_grad(), parametrize.cached():
        for module in shapes.modules():
            if parametrize.is_parametrized(module, "weight"):  # a constant once it has been learned
                module.weight  # noqa: B018
        with Trace() as trace:
            outputs = [tensor for tensor in tree_leaves(shapes(image)) if isinstance(tensor, torch.Tensor)]
    return _buffers(trace, _storage(image), [_storage(tensor) for tensor in outputs])


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _buffers(trace: Trace, image: int, outputs: Sequence[int]) -> list[Buffer]:
    last_use = {key: step for step, (reads, writes, _) in enumerate(trace.steps) for key in (*reads, *writes)}
    read = {key for reads, _, _ in trace.steps for key in reads} | {*outputs}  # not the statistics of norms
    spans = [[trace.elements.get(image, 0), 0, last_use.get(image, 0)]]
    place = {image: 0}  # of each tensor that lives in a buffer, the number of the buffer
    for step, (reads, writes, overwrites) in enumerate(trace.steps):
        new = [key for key in dict.fromkeys(writes) if key not in place and key not in reads and key in read]
        for key in new:
            dying = [
                other
                for other in reads
                if other in place and last_use[other] == step and trace.elements[other] == trace.elements[key]
            ]
            if overwrites and key == new[0] and dying:
                place[key] = place[dying[0]]
                spans[place[key]][2] = last_use[key]
            else:
                place[key] = len(spans)
                spans.append([trace.elements[key], step, last_use[key]])
    return [Buffer(*span) for span in spans if span[0]]


def places(given: Sequence[Buffer], bytes_per_value: int, *, alignment: int = ALIGNMENT) -> list[int]:
    """Return the offset of each buffer in bytes, as TFLite-micro's ``GreedyMemoryPlanner`` chooses it.

    The largest buffer is placed first; each goes to the lowest place that is free as long as it lives.
    """
    sizes = [-(-buffer.values * bytes_per_value // alignment) * alignment for buffer in given]
    offsets: dict[int, int] = {}
    for number in sorted(range(len(given)), key=lambda each: -sizes[each]):
        offset = 0
        for other in sorted(offsets, key=lambda each: offsets[each]):
            meets = given[other].first <= given[number].last and given[number].first <= given[other].last
            if not meets:
                continue
            if offsets[other] - offset >= sizes[number]:
                break
            offset = max(offset, offsets[other] + sizes[other])
        offsets[number] = offset
    return [offsets[number] for number in range(len(given))]


def arena_bytes(given: Sequence[Buffer], bytes_per_value: int) -> int:
    """Return the size of the arena that holds all buffers, in bytes."""
    ends = [
        offset + buffer.values * bytes_per_value
        for offset, buffer in zip(places(given, bytes_per_value), given, strict=True)
    ]
    return -(-max(ends, default=0) // ALIGNMENT) * ALIGNMENT
