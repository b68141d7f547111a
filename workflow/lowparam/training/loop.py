"""Train a network on images that are in memory: the training loop."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lowparam.data import Dataset, Files, Images
from lowparam.errors import LowparamError
from lowparam.models.counts import count_layers
from lowparam.models.layers.fast import accelerate
from lowparam.models.skeletons.controlled import Network
from lowparam.params import Recipe
from lowparam.training import losses, penalties
from lowparam.training.augment import change_pixels, draw, generator, mix
from lowparam.training.malloc import tune_malloc
from lowparam.training.optimizer import make_optimizer, make_schedule, rate_factor

__all__ = [
    "COMPILE_FROM",
    "EVALUATION_BATCH",
    "MOST_TRAINING_IMAGES",
    "Training",
    "pick_device",
    "should_compile",
    "uses_bfloat16",
]

EVALUATION_BATCH = 64  # larger ones leave the cache
MOST_TRAINING_IMAGES = 10_000
"""Of the training split at most so many are evaluated; the standard error of an accuracy is then below half a point."""
COMPILE_FROM = 20_000  # steps on a GPU; compiling costs about a minute, and on a CPU it gained nothing


def pick_device(name: str | None = None) -> torch.device:
    """Return the named device, by default a GPU if there is one.

    Raises
    ------
    LowparamError
        If there is no such device.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise LowparamError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error


def uses_bfloat16(device: torch.device, precision: str) -> bool:
    """Return whether convolutions and matrix products run in bfloat16; on a CPU it is slower, so only on request."""
    return {"auto": device.type == "cuda", "bfloat16": True, "float32": False}[precision]


def should_compile(device: torch.device, steps: int) -> bool:
    """Return whether torch.compile pays off within this many steps."""
    return device.type == "cuda" and steps >= COMPILE_FROM


class Training:
    """Train one network by a recipe, epoch by epoch.

    Parameters
    ----------
    net : Network
        Maps (N, C, H, W) to logits (N, classes); trained in place.
    data : Dataset
        Moved to the device as a whole.
    recipe : Recipe
        How to train.
    seed : int
        Decides order and changes of the images; the weights are already drawn.
    device : torch.device
        Where.

    Attributes
    ----------
    epoch : int
        Finished epochs.
    history : list of dict
        A row for each of them.
    diverged_at_step : int or None
        The first step, from 0, whose loss was not finite, or after which that of the validation split was not.
    """

    def __init__(self, net: Network, data: Dataset, recipe: Recipe, *, seed: int, device: torch.device) -> None:
        self.data, self.recipe, self.seed, self.device = data.to(device), recipe, seed, device
        half = uses_bfloat16(device, recipe.precision)
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=half)
        if device.type == "cpu" and not half:
            accelerate(net)
            tune_malloc(recipe.batch_size * count_layers(net, data.in_channels, data.size).values)
        net.regularise(dropout=recipe.dropout, drop_path=recipe.drop_path)
        self.loss, self.penalty = losses.make_for(recipe, net), penalties.make(recipe, net)
        # NHWC: a step is 1.1 to 1.6 times as fast as in NCHW (docs/performance.md).
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self.steps_per_epoch = math.ceil(len(data.train) / recipe.batch_size)
        net.plan(recipe.epochs * self.steps_per_epoch)
        self.optimizer = make_optimizer(self.net, recipe)
        self.schedule = make_schedule(self.optimizer, recipe, self.steps_per_epoch)
        self.average = None
        if recipe.ema is not None:
            average = get_ema_multi_avg_fn(recipe.ema)
            self.average = AveragedModel(self.net, multi_avg_fn=average, use_buffers=True)
        pays = should_compile(device, recipe.epochs * self.steps_per_epoch)
        self.forward = torch.compile(self.net) if pays else self.net
        self.epoch, self.history = 0, []
        self.diverged_at_step: int | None = None

    @property
    def evaluated(self) -> nn.Module:
        """The network whose accuracy counts: the averaged one, where the recipe averages."""
        return self.net if self.average is None else self.average.module

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or the loss has diverged."""
        return self.epoch == self.recipe.epochs or self.diverged_at_step is not None

    def go_to_step(self, step: int) -> None:
        """Set the learning rate, and the step counter of LAMB, to those of a step."""
        self.schedule = make_schedule(self.optimizer, self.recipe, self.steps_per_epoch, step)
        if self.recipe.optimizer == "lamb" and step:  # it counts its steps itself, but not with its other state
            for group in self.optimizer.param_groups:
                group["step"] = torch.tensor(float(step))

    def run_epoch(self) -> dict[str, float]:
        """Train for one epoch, evaluate on the validation split, and return the new row of the history."""
        random = generator(self.seed, self.epoch)
        torch.manual_seed(random.initial_seed())  # for layers that draw, such as dropout
        losses, correct = [], []
        self.net.train()
        for images, labels, targets in self.training_batches(random):
            with self.autocast:
                logits = self.forward(images)
                loss = self.loss(logits, targets)
            penalty = self.penalty() if self.penalty else 0.0
            self.optimizer.zero_grad()
            (loss + penalty).backward()
            if self.recipe.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            if self.average is not None:
                self.average.update_parameters(self.net)
            losses.append(loss.detach())
            correct.append((logits.detach().argmax(1) == labels).sum())
        return self._close_epoch(torch.stack(losses), torch.stack(correct))

    def training_batches(self, random: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the batches of an epoch: images (B, C, H, W), labels (B,), and targets, which may be mixed labels."""
        augment, train = self.recipe.augment, self.data.train
        draws = draw(len(train), augment, random).to(self.device)
        for batch in draws.batches(self.recipe.batch_size):
            labels = train.labels[batch.order]
            images = self.data.normalise(change_pixels(train.pixels[batch.order], batch, augment))
            images, targets = mix(images, labels, batch, augment, len(self.data.classes))
            yield images.contiguous(memory_format=torch.channels_last), labels, targets

    def evaluation_batches(self, split: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, C, H, W), as they are, and labels (B,) of ``train``, ``validation`` or ``test``."""
        images = self.evaluated_images(split)
        pixels, labels = images.pixels.split(EVALUATION_BATCH), images.labels.split(EVALUATION_BATCH)
        for some, their_labels in zip(pixels, labels, strict=True):
            yield self.data.normalise(some).contiguous(memory_format=torch.channels_last), their_labels

    def evaluated_images(self, split: str) -> Images | Files:
        """Return the images of a split that are evaluated: all, but of a large training split every n-th."""
        images = getattr(self.data, split)
        if split != "train" or len(images) <= MOST_TRAINING_IMAGES:
            return images
        return images.take(torch.arange(MOST_TRAINING_IMAGES) * len(images) // MOST_TRAINING_IMAGES)

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over processes; in this class there is only one."""
        return values

    def _close_epoch(self, losses: Tensor, correct: Tensor) -> dict[str, float]:
        """Evaluate, detect divergence, and append the row; the host waits for the device only here."""
        validation = self.evaluate("validation")
        broken = self.total((~losses.isfinite()).long())
        if broken.any():
            self.diverged_at_step = self.epoch * self.steps_per_epoch + int((broken > 0).long().argmax())
        elif not math.isfinite(validation["loss"]):  # the last update of the epoch broke the weights
            self.diverged_at_step = (self.epoch + 1) * self.steps_per_epoch - 1
        self.epoch += 1
        loss, steps = self.total(torch.stack([losses.double().sum(), losses.new_tensor(len(losses)).double()])).tolist()
        row = {
            "epoch": self.epoch,
            "lr": self.recipe.lr * rate_factor(self.epoch - 1 / self.steps_per_epoch, self.recipe),
            "train_loss": loss / steps,
            "train_accuracy": self.total(correct.sum()).item() / len(self.data.train),
            "validation_loss": validation["loss"],
            "validation_accuracy": validation["accuracy"],
        }
        self.history.append(row)
        return row

    @torch.inference_mode()
    def evaluate(self, split: str) -> dict[str, float]:
        """Mean cross-entropy (nats) and accuracy (a fraction) on ``train``, ``validation`` or ``test``."""
        net = self.evaluated.eval()
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        for images, labels in self.evaluation_batches(split):
            with self.autocast:
                logits = net(images).float()
            loss = F.cross_entropy(logits, labels, reduction="sum").double()
            sums += torch.stack([loss, (logits.argmax(1) == labels).sum().double(), loss.new_tensor(len(labels))])
        loss, correct, count = self.total(sums).tolist()
        return {"loss": loss / count, "accuracy": correct / count}
