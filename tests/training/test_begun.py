"""What is trained is kept, and what a training left that did not end is known."""

import json
import shutil

import pytest
from quick import make_params

from lowparam.errors import LowparamError
from lowparam.training import begun, train_scale

SCALE = make_params().scales("quick")[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_folder):
    """A scale that is trained, and where."""
    folder = tmp_path_factory.mktemp("trained")
    where = {"data_folder": data_folder, "work": folder / "work", "results": folder / "results"}
    train_scale.train_scale(make_params(), SCALE, **where)
    return where


@pytest.fixture
def where(trained, tmp_path):
    """A copy, to change."""
    shutil.copytree(trained["results"], tmp_path / "results")
    return trained | {"work": tmp_path / "work", "results": tmp_path / "results"}


def test_a_scale_is_trained_when_every_seed_is_whole_and_of_now(trained):
    assert begun.is_trained(make_params(), SCALE, **trained)
    assert not begun.is_trained(make_params(lr=0.5), SCALE, **trained)
    assert not begun.is_trained(make_params(seeds=[0, 1, 2]), SCALE, **trained)


@pytest.mark.parametrize("name", ["torch", "lowparam", "data_sha256", "code_sha256"])
def test_runs_made_with_something_else_do_not_count(where, name):
    path = where["results"] / "seed1/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["provenance"][name] = "another"
    path.write_text(json.dumps(metrics))
    assert not begun.is_trained(make_params(), SCALE, **where)


def test_a_missing_or_damaged_file_does_not_count(where):
    weights = where["results"] / "seed0/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not begun.is_trained(make_params(), SCALE, **where)
    weights.unlink()
    assert not begun.is_trained(make_params(), SCALE, **where)


def test_without_data_nothing_counts(trained, tmp_path):
    assert not begun.is_trained(make_params(), SCALE, **trained | {"data_folder": tmp_path})


def test_only_a_training_that_ends_takes_the_marks_away(where):
    mark, doubt = (where["work"] / f"quick/{SCALE.name}.{kind}" for kind in ("begun", "doubtful"))
    with pytest.raises(LowparamError), begun.begun(SCALE, where["work"]):
        raise LowparamError("a full disk")
    assert mark.exists()
    doubt.touch()
    assert not begun.is_trained(make_params(), SCALE, **where)
    with begun.begun(SCALE, where["work"]):
        pass
    assert not mark.exists() and not doubt.exists()
    assert begun.is_trained(make_params(), SCALE, **where)
