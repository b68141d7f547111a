"""A logistic regression on the pixels: the accuracy that a network has to beat to be worth its parameters."""

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from lowparam import data
from lowparam.files import write_json

__all__ = ["fit_baseline"]

STRENGTHS = np.logspace(-3, 2, 11)  # inverse regularisation, scikit-learn's C


def fit_baseline(data_folder: Path, output: Path) -> None:
    """Fit on the training part, choose the regularisation on the validation part, report all three accuracies.

    The data are those that the networks see: the same split, standardised the same way. The fit is deterministic.
    """
    dataset = data.load(data_folder)
    parts = {
        name: (dataset.normalise(part.pixels).flatten(1).numpy(), part.labels.numpy())
        for name, part in (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    }
    fits = [LogisticRegression(C=strength, max_iter=2000).fit(*parts["train"]) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: fit.score(*parts["validation"]))
    write_json(
        output,
        {
            "model": "logistic regression",
            "parameters": best.coef_.size + best.intercept_.size,
            "inverse_regularisation": float(best.C),
            **{name: {"accuracy": best.score(*part), "images": len(part[1])} for name, part in parts.items()},
            "data_sha256": dataset.sha256,
        },
    )
