import pytest

from trained_run import make_trained


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with prepared digits and a short run on them, and the run's folder in it."""
    return make_trained(tmp_path_factory.mktemp("trained"))
