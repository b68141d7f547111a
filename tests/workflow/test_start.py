"""lowparam run hands its arguments to snakemake, with names of experiments as a setting."""

import pytest

from lowparam.engine import start
from quick import make_params


@pytest.mark.parametrize(
    ("given", "handed"),
    [
        ([], []),
        (["-n"], ["-n"]),
        (["overview", "-n"], ["overview", "-n"]),
        (["quick"], ["all", "--config", "experiment=quick"]),
        (["quick", "overview", "--cores", "1"], ["all", "overview", "--cores", "1", "--config", "experiment=quick"]),
        (["quick", "--config", "again=1"], ["all", "--config", "experiment=quick", "again=1"]),
        (["runs", "--config", "experiment=quick"], ["runs", "--config", "experiment=quick"]),
    ],
)
def test_names_of_experiments_become_a_setting(given, handed):
    assert start._with_experiments(given, make_params()) == handed


@pytest.mark.parametrize(
    ("given", "folder"), [([], None), (["-d", "x"], "x"), (["--directory", "x"], "x"), (["--directory=x"], "x")]
)
def test_the_folder_that_is_prepared_is_the_one_that_snakemake_works_in(given, folder):
    assert start._value(given, "-d", "--directory") == folder
