"""Batches that are too small end in one line that names the key."""

from pathlib import Path

import pytest

from lowparam.data.prepare import prepare
from lowparam.errors import LowparamError
from lowparam.params import Params
from lowparam.training.train import refuse_small_batches, train
from quick import make_params


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare("digits", make_params().data["digits"], Path("results/data/digits"))


def published(**recipe) -> Params:
    content = make_params(seeds=(0,), architectures=("mobilenetv2_x0.5",), **recipe).model_dump(exclude_defaults=True)
    content["experiments"]["quick"] |= {"mode": "published", "budgets": []}
    return Params.model_validate(content)


@pytest.mark.filterwarnings("ignore")
def test_batch_norm_of_a_single_image_is_named():
    params = published(batch_size=1)
    with pytest.raises(LowparamError, match=r"^recipes\.quick\.batch_size gives a batch of one image"):
        train(params, params.scales("quick"), device="cpu")


@pytest.mark.parametrize(
    ("batch_size", "count", "said"),
    [
        (3, 4, r"^recipes\.quick\.batch_size is 3, which gives batches of \d images for 4 processes; raise it"),
        (2000, 400, r"^data\.digits: validation has 3\d\d images for 400 processes"),
    ],
)
def test_more_processes_than_images_are_refused(batch_size, count, said):
    params = make_params(batch_size=batch_size)
    scale = params.scales("quick")[0]
    refuse_small_batches(params, scale, 2)
    with pytest.raises(LowparamError, match=said):
        refuse_small_batches(params, scale, count)
