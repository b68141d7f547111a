import pytest
import torch

from lowparam import data
from lowparam.data import Images
from lowparam.data.sources import digits


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """A prepared data set of 300 real digits."""
    everything, classes = digits.read("digits", None)
    images = everything["all"]
    rows_of = {"train": slice(0, 200), "validation": slice(200, 250), "test": slice(250, 300)}
    folder = tmp_path_factory.mktemp("digits")
    data.save(
        folder, {name: Images(images.pixels[rows], images.labels[rows]) for name, rows in rows_of.items()}, classes
    )
    return folder


@pytest.fixture(scope="session")
def dataset(data_folder):
    return data.load(data_folder)


@pytest.fixture
def cpu():
    return torch.device("cpu")
