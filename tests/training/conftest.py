import pytest
import torch

from lowparam import data
from trained_run import save_digits


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """A prepared data set of 300 real digits."""
    folder = tmp_path_factory.mktemp("digits")
    save_digits(folder, train=200, validation=50, test=50)
    return folder


@pytest.fixture(scope="session")
def dataset(data_folder):
    return data.load(data_folder)


@pytest.fixture
def cpu():
    return torch.device("cpu")
