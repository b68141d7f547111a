"""A logistic regression on the pixels: the accuracy that a network has to beat to be worth its parameters."""

import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lowparam import data
from lowparam.data import Dataset, Files, Images, Streamed
from lowparam.data.pixels import pixels_in_batches
from lowparam.files import write_json
from lowparam.threads import one_thread

__all__ = ["fit_baseline"]

STRENGTHS = np.logspace(-4, 2, 13)  # inverse regularisation, scikit-learn's C
MOST_IMAGES = 20_000  # to fit on; minutes, where 60,000 of 784 pixels are most of an hour
ITERATIONS = 500  # of a fit, which begins where the one with stronger regularisation ended
SMALL = 8  # height and width in pixels at which streamed images are looked at


@one_thread()
def fit_baseline(data_folder: Path, output: Path) -> None:
    """Fit on the training split, choose the regularisation on the validation split, report all three accuracies.

    The data are those that the networks see: the same split, standardised the same way. Of more than 20,000 training
    images, 20,000 are drawn; streamed images are averaged to 8x8 pixels. The fit is deterministic.

    Raises
    ------
    LowparamError
        If the data are missing or damaged.
    """
    dataset = data.load(data_folder)
    drawn = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(0))[:MOST_IMAGES].sort().values
    splits = {
        "train": _pixels(dataset, dataset.train.take(drawn)),
        "validation": _pixels(dataset, dataset.validation),
        "test": _pixels(dataset, dataset.test),
    }
    model, best, best_score = LogisticRegression(max_iter=ITERATIONS, warm_start=True), None, -1.0
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        for strength in STRENGTHS:
            model.set_params(C=strength).fit(*splits["train"])
            score = model.score(*splits["validation"])
            if score > best_score:
                best, best_score = deepcopy(model), score
    write_json(
        output,
        {
            "model": "logistic regression",
            "parameters": best.coef_.size + best.intercept_.size,
            "inverse_regularisation": float(best.C),
            **{name: {"accuracy": best.score(*split), "images": len(split[1])} for name, split in splits.items()},
            "training_images": len(dataset.train),
            "data_sha256": dataset.sha256,
        },
    )


def _pixels(dataset: Dataset | Streamed, images: Images | Files) -> tuple[np.ndarray, np.ndarray]:
    """Return standardised pixels, float32 (N, pixels), and labels (N,)."""
    return torch.cat(list(_inputs(dataset, images))).flatten(1).numpy(), images.labels.numpy()


def _inputs(dataset: Dataset | Streamed, images: Images | Files) -> Iterator[Tensor]:
    """Yield what the networks see, float32 (N, C, H, W), as means over regions if the images are streamed."""
    for pixels in pixels_in_batches(dataset, images):
        normal = dataset.normalise(pixels)
        yield F.adaptive_avg_pool2d(normal, SMALL) if dataset.streaming else normal
