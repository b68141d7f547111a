"""Choose recipe values for images of known features, by the rule of `lowparam.training.tune`.

The values are ranked by the mean area under the ROC curves on validation images: a share of few features has ties.
"""

from pathlib import Path

from lowparam import files, paths, runs
from lowparam.data.known import KnownFeatures, load_known
from lowparam.errors import LowparamError
from lowparam.params import Params, Run, Scale, format_size
from lowparam.training.loop import pick_device
from lowparam.training.train_known import KnownSeedRun, PresenceTraining
from lowparam.training.train_scale import job_lock
from lowparam.training.tune import Trials, choose

__all__ = ["KnownTrials", "tune_known"]


class KnownTrials(Trials):
    """Train values as `Trials`, to tell which features are present."""

    dataset: KnownFeatures

    def _train(self, scale: Scale, values: dict, seed: int) -> dict:
        """Train one trial; its row has the mean area under the ROC curves in the place of accuracies."""
        spec = runs.trial_spec(self.params, Run(scale, seed), values)
        made_with = runs.made_with(self.params, scale, data_sha256=self.dataset.sha256)
        folder = runs.trial_folder(self.work, scale, values)
        run = KnownSeedRun(spec, made_with, folder, folder)
        if not run.is_done():
            run.train(PresenceTraining, self.dataset, self.params.trial_recipe(scale, values), self.device)
        metrics = files.read_json(run.work / "metrics.json")
        return {
            "values": values,
            "budget": format_size(scale.budget),
            "seed": seed,
            "status": metrics["status"],
            "train_loss": metrics["train"]["loss"],
            "train_accuracy": metrics["train"].get("auc"),
            "validation_accuracy": metrics["validation"].get("auc"),
        }


def tune_known(
    params: Params, scale: Scale, *, data_folder: Path, work: Path | None = None, device: str | None = None
) -> None:
    """Choose recipe values for an architecture with a probe at a dose, and write them as `lowparam.training.tune.tune`.

    Parameters, files and errors are those of it.
    """
    settings = params.experiment(scale.experiment).tune
    assert settings is not None
    work = work or paths.trials(scale.experiment, scale.family)
    with job_lock(work):
        dataset = load_known(data_folder, params.recipe(scale).dose)
        trials = KnownTrials(params, scale, settings, dataset, work, pick_device(device))
        try:
            content = choose(params, scale, settings, trials)
            content["identity"] = runs.tuning_identity(params, scale, data_sha256=dataset.sha256)
            files.write_json(paths.tuning(scale.experiment, scale.family), runs.seal(content))
        except OSError as error:
            raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error
        print(f"{scale.family}: chose {runs.describe_values(content['chosen'])}", flush=True)
