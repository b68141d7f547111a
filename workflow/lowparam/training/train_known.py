"""Train on images of known features: several labels an image, by importance-weighted binary cross-entropy.

Everything but the targets and the scores is the loop that trains on classes (`lowparam.training.loop`).
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from lowparam import files, paths, runs
from lowparam.data.known import KnownFeatures, load_known
from lowparam.errors import LowparamError
from lowparam.models.cost import Cost
from lowparam.models.skeletons.controlled import Network
from lowparam.params import Params, Recipe, Run, Scale, run_spec
from lowparam.training.loop import Training, pick_device
from lowparam.training.presence_scores import aucs, found_share
from lowparam.training.train_scale import SeedRun, choice_for, job_lock
from lowparam.training.untrained import is_untrained

__all__ = ["KnownSeedRun", "PresenceTraining", "train_known"]


def train_known(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path,
    work: Path | None = None,
    results: Path | None = None,
    device: str | None = None,
    again: bool = False,
) -> None:
    """Train all seeds of a scale on images of known features.

    Parameters, files and errors are those of `lowparam.training.train_scale.train_scale`. In metrics.json, ``accuracy``
    is the share of the features that are found, and ``auc`` is the mean area under their ROC curves.
    """
    work = work or paths.unfinished(scale.experiment, scale.name)
    with job_lock(work):
        recipe = params.recipe(scale, choice_for(params, scale))
        dataset = load_known(data_folder, recipe.dose)
        try:
            made_with, choice = runs.made_with(params, scale, data_sha256=dataset.sha256), choice_for(params, scale)
            specs = [
                run_spec(params, Run(scale, seed), choice=choice) for seed in params.experiment(scale.experiment).seeds
            ]
            seeds = [KnownSeedRun(spec, made_with, work, results or scale.folder) for spec in specs]
            if again:
                for run in seeds:
                    run.discard()
            missing = [run for run in seeds if not run.is_published()]
            if not missing:
                print(f"{scale.name}: all seeds are trained", flush=True)
            for run in missing:
                if not run.is_done():
                    run.train(PresenceTraining, dataset, recipe, pick_device(device))
                run.publish()
            shutil.rmtree(work, ignore_errors=True)
        except OSError as error:
            raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error


class KnownSeedRun(SeedRun):
    """One run of a scale on images of known features.

    By chance, the area under a ROC curve is 1/2, as the accuracy of naming one of two classes is; so a run counts as
    untrained by the same rule as others: if its mean area on the training images is not above 0.6.
    """

    def _write(self, training: Training, network_cost: Cost, accuracies: dict[str, dict[str, float | None]]) -> None:
        """Write the files of the run, with the status by its area."""
        super()._write(training, network_cost, accuracies)
        area = accuracies["train"].get("auc")
        metrics = files.read_json(self.work / "metrics.json")
        status = "diverged" if area is None else "untrained" if is_untrained(area, 0.5) else "finished"
        metrics |= {"status": status, "largest_class_share": 0.5}
        files.write_json(self.work / "metrics.json", runs.seal(metrics))


class PresenceTraining(Training):
    """Train one network to tell which features are present; parameters are those of `Training`."""

    data: KnownFeatures

    def __init__(self, net: Network, data: KnownFeatures, recipe: Recipe, *, seed: int, device: torch.device) -> None:
        super().__init__(net, data, recipe, seed=seed, device=device)
        loss: Callable[..., Tensor] = self.loss
        self.loss = partial(loss, importance=data.importance.to(device))
        self.present = {split: data.presence(split).to(device) for split in data.drawn}

    def training_batches(self, random: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield images (B, C, H, W), their rows (B,), and presence (B, K) in float32."""
        for images, rows, _ in super().training_batches(random):
            yield images, rows, self.present["train"][rows].float()

    def _close_epoch(self, losses: Tensor, correct: Tensor) -> dict[str, float]:
        """Evaluate as in `Training`, without a training accuracy, which is known only from all images at once."""
        row = super()._close_epoch(losses, correct)
        row["train_accuracy"] = float("nan")
        return row

    @torch.inference_mode()
    def evaluate(self, split: str) -> dict[str, float]:
        """Mean loss (nats), ``accuracy``, the share of features that are found, and ``auc``, the mean area."""
        net = self.evaluated.eval()
        outputs, rows = [], []
        for images, some in self.evaluation_batches(split):
            with self.autocast:
                outputs.append(net(images).float())
            rows.append(some)
        logits, present = torch.cat(outputs), self.present[split][torch.cat(rows)]
        areas = aucs(*(each[:, : self.data.features] for each in (logits, present)))
        return {
            "loss": self.loss(logits, present.float()).item(),
            "accuracy": found_share(areas),
            "auc": areas.nanmean().item(),
        }
