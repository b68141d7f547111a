"""Where a seed diverged, no form of a result prints the mean of the others."""

import json

import numpy as np
import pandas as pd

from lowparam.collect import summarise
from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.estimates import mean_by_scale
from lowparam.report.figures import scaling

RUNS = pd.DataFrame(
    {
        "architecture": ["mobilenetv1"] * 6,
        "probe": "none",
        "budget": ["10k"] * 3 + ["25k"] * 3,
        "seed": [0, 1, 2] * 2,
        "status": ["finished"] * 5 + ["diverged"],
        **{column: [1e4] * 3 + [2.5e4] * 3 for column in ("parameters_total", "parameters_body", "macs")},
        "test_accuracy": [0.8, 0.9, 1.0, 0.5, 0.6, np.nan],
    }
)


def test_the_summary_for_dvc_and_the_tables_have_no_mean_of_survivors():
    summary = json.loads(json.dumps(summarise(RUNS)))
    assert summary == {"runs": 6, "diverged": 1, "test_accuracy": {"mobilenetv1-none": {"10k": 0.9, "25k": None}}}
    assert mean_by_scale(RUNS, "test_accuracy")["mean"].isna().tolist() == [False, True]


def test_the_figure_of_scaling_has_no_point_of_survivors():
    context = Context(Params.model_construct(), "some")
    context.__dict__["runs"] = RUNS
    line = scaling.make(context).axes[0].containers[0].lines[0]
    assert np.isnan(np.asarray(line.get_ydata(), dtype=float)).tolist() == [False, True]
