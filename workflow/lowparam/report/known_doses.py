"""The runs of an experiment with known features, with their dose as columns."""

import pandas as pd

from lowparam.report.context import Context

__all__ = ["TRUTH", "dosed_runs"]

TRUTH = {
    "mean_auc": "mean area under the ROC curve",
    "features_found": "features found",
    "features_per_1000": "features found per 1,000 parameters",
    "features_explained": "features explained",
    "false_positives": "false positives where others are present",
    "true_dimensionality_stages": "true dimensionality, stages",
    "true_dimensionality_last": "true dimensionality, last block",
    "true_r_stages": "true dimensionality over random",
    "true_chi_stages": "true cross-talk, stages",
    "true_chi_last": "true cross-talk, last block",
    "concepts_per_unit_last": "concepts per unit",
    "units_per_concept_last": "units per concept",
}
"""Columns of runs.csv that measures of known features write, with what they are called in figures and tables."""


def dosed_runs(context: Context) -> pd.DataFrame:
    """Return the runs whose variant is a dose, with the columns ``block``, ``features`` and ``presence``.

    ``block`` is the architecture without the variant.
    """
    doses = {}
    for scale in context.params.scales(context.name):
        dose = context.params.recipe(scale).dose
        if dose is not None:
            doses[scale.label] = (scale.architecture, dose.features, dose.presence)
    runs = context.runs[context.runs["architecture"].isin(doses)]
    found = pd.DataFrame([doses[label] for label in runs["architecture"]], index=runs.index)
    return runs.assign(block=found[0], features=found[1], presence=found[2])
