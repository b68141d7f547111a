"""Draw a block as a picture of what its layers do to the number of channels, from the module itself.

One block of equal input and output width C runs once; every convolution that is called becomes a shape whose upper and
lower edges are as wide as its input and output have channels. Norms and activations are named in the shape before
them.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape

import torch
from torch import Tensor, nn

from lowparam.models.blocks import Block
from lowparam.models.layers import LayerNorm2d, LayerScale

__all__ = ["draw"]

CHANNELS = 24  # divisible by every ratio that a block here has
SHAPE, GAP, HALF, NARROWEST, WIDENING = 44, 18, 210, 130, 150  # heights and widths in pixels

NAMES = {"BatchNorm2d": "BN", "Hardswish": "h-swish"}
"""What layers of torch are called; ours have their names in ``drawn``."""


@dataclass
class Step:
    """A shape of the picture: a layer and what follows it without changing the number of channels."""

    label: str
    inputs: list[int]
    output: int
    before: int
    after: int
    column: int = 0
    row: int = 0
    after_it: list[str] = field(default_factory=list)


def draw(block: type[Block]) -> str:
    """Draw a block that keeps its width and does not stride, as an SVG.

    Parameters
    ----------
    block : type of Block
        What `lowparam.models.blocks.find` gives.

    Returns
    -------
    str
        The text of the SVG, the same on every machine.
    """
    made = block(CHANNELS, CHANNELS, stride=1, hidden=round(block.hidden_width(CHANNELS, CHANNELS)))
    steps = _steps(made)
    widest = max(max(step.before, step.after) for step in steps)
    rows = max(step.row for step in steps) + 1
    columns = max(step.column for step in steps) + 1
    top = 40
    height = top + rows * (SHAPE + GAP) + (70 if made.residual else 40)
    width = 2 * HALF if columns == 1 else 4 * HALF - 120

    def x_of(step: Step) -> float:
        if columns == 1 or step.column < 0:
            return width / 2
        return width / 2 + (-1 if step.column == 0 else 1) * (HALF - 50)

    def edge(channels: int) -> float:
        return (NARROWEST + WIDENING * channels / widest) / 2

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13" text-anchor="middle">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{width / 2:g}" y="20">C channels</text>',
    ]
    where = {0: (width / 2, 26.0)}  # for every feature map: where its line begins
    past: list[tuple[float, float, float]] = []
    for step in steps:
        x, y = x_of(step), top + step.row * (SHAPE + GAP)
        for source in step.inputs:
            from_x, from_y = where[source]
            if from_x == x and y - from_y > GAP:  # past shapes in between
                past.append((from_y, y, x))
            elif from_x == width / 2 and y - from_y > GAP:  # from the middle past shapes into a column
                path = f"M {from_x:g} {from_y + 6:g} H {x:g} V {y:g}"
                parts.append(f'<path d="{path}" fill="none" stroke="#456"/>')
            else:
                parts.append(_line(from_x, from_y, x, y))
        upper, lower = edge(step.before), edge(step.after)
        corners = f"{x - upper:g},{y} {x + upper:g},{y} {x + lower:g},{y + SHAPE} {x - lower:g},{y + SHAPE}"
        fill = "#cfe3f5" if "conv" in step.label else "#e9e9e9"
        parts.append(f'<polygon points="{corners}" fill="{fill}" stroke="#456"/>')
        lines = [step.label, ", ".join(step.after_it)] if step.after_it else [step.label]
        for number, line in enumerate(lines):
            parts.append(f'<text x="{x:g}" y="{y + 27 - 8 * (len(lines) - 1) + 17 * number}">{escape(line)}</text>')
        if step.before != step.after:
            parts.append(
                f'<text x="{x + lower + 8:g}" y="{y + SHAPE}" text-anchor="start" fill="#456">'
                f"{_in_widths(step.after)}</text>"
            )
        where[step.output] = (x, y + SHAPE)
    for begin, end, x in past:
        inside = sum(begin <= other[0] and other[1] <= end for other in past)
        passed = [x_of(step) for step in steps if begin <= top + step.row * (SHAPE + GAP) <= end]
        side = min(passed) - edge(widest) - 4 - 10 * inside
        path = f"M {x:g} {begin + 6:g} H {side:g} V {end - 6:g} H {x:g} V {end:g}"
        parts.append(f'<path d="{path}" fill="none" stroke="#b33" stroke-width="2"/>')
    x, y = where[steps[-1].output]
    if made.residual:
        plus = y + GAP + 12
        left = 25 if columns == 1 else 12
        parts.append(_line(x, y, width / 2, plus - 9))
        parts.append(
            f'<path d="M {width / 2:g} 30 H {left:g} V {plus} H {width / 2 - 9:g}" fill="none" stroke="#b33" '
            'stroke-width="2"/>'
        )
        parts.append(f'<circle cx="{width / 2:g}" cy="{plus}" r="9" fill="white" stroke="#b33" stroke-width="2"/>')
        parts.append(f'<text x="{width / 2:g}" y="{plus + 5}">+</text>')
        y = plus + 9
    parts.append(_line(width / 2, y, width / 2, y + 14))
    parts.append(f'<text x="{width / 2:g}" y="{y + 28}">C channels</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _steps(block: Block) -> list[Step]:
    """Run the block once and note its layers in the order in which they are called."""
    calls: list[tuple[nn.Module, list[Tensor], Tensor]] = []
    named = [module for module in block.modules() if hasattr(module, "drawn")]  # drawn without their children
    inside = {id(part) for module in named for part in module.modules()} - {id(module) for module in named}
    for module in block.modules():
        drawn = hasattr(module, "drawn") or not any(True for _ in module.children())
        if drawn and id(module) not in inside and not isinstance(module, nn.Identity):
            module.register_forward_hook(lambda module, args, output: calls.append((module, list(args), output)))
    image = torch.zeros(1, CHANNELS, 8, 8)
    with torch.no_grad():
        block.eval()(image)
    number = {id(image): 0}
    steps: list[Step] = []
    maker: dict[int, Step] = {}
    readers = Counter(id(tensor) for _, inputs, _ in calls for tensor in inputs)
    for module, inputs, output in calls:
        number[id(output)] = len(number)
        reads = [number[id(tensor)] for tensor in inputs]
        before, after = inputs[0].shape[1], output.shape[1]
        last = maker.get(reads[0])
        begins = hasattr(module, "drawn") and not isinstance(module, LayerNorm2d | LayerScale)
        begins = begins or isinstance(module, nn.Conv2d)
        begins = begins or readers[id(inputs[0])] > 1  # a line has to begin between the two
        if last is not None and last.output == reads[0] and len(reads) == 1 and not begins:
            last.after_it.append(_label(module))
            last.output = number[id(output)]
            maker[last.output] = last
            continue
        step = Step(_label(module), reads, number[id(output)], before, after)
        steps.append(step)
        maker[step.output] = step
    _place(steps)
    return steps


def _place(steps: list[Step]) -> None:
    """Give every step a row, and two columns to steps of one row and what follows each alone; -1 is the middle."""
    row_of, column_of = {0: -1}, {0: -1}
    for step in steps:
        step.row = max(row_of[source] for source in step.inputs) + 1
        row_of[step.output] = step.row
    for step in steps:
        beside = [other for other in steps if other is not step and other.row == step.row]
        if beside:
            step.column = 0 if steps.index(step) < steps.index(beside[0]) else 1
        else:
            step.column = column_of[step.inputs[0]] if len(step.inputs) == 1 else -1
        column_of[step.output] = step.column
    if all(step.column == -1 for step in steps):
        for step in steps:
            step.column = 0


def _label(module: nn.Module) -> str:
    if not isinstance(module, nn.Conv2d):
        name = type(module).__name__
        return str(getattr(module, "drawn", NAMES.get(name, name)))
    size = "×".join(str(n) for n in module.kernel_size)
    kind = "" if module.groups == 1 else "depthwise " if module.groups == module.in_channels else "grouped "
    return f"{size} {kind}conv"


def _in_widths(channels: int) -> str:
    ratio = Fraction(channels, CHANNELS)
    text = "C" if ratio.numerator == 1 else f"{ratio.numerator}C"
    return text if ratio.denominator == 1 else f"{text}/{ratio.denominator}"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="#456"/>'
