"""Files that are written at once."""

import os
import stat

import numpy as np
import pytest
from safetensors.numpy import save_file

from lowparam.files import atomic, write_json


@pytest.fixture(params=[0o022, 0o027, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_who_may_read_a_file_is_up_to_the_umask(tmp_path, umask):
    """safetensors writes files that only their owner can read, which a group that shares results cannot use."""
    write_json(tmp_path / "a.json", {})
    with atomic(tmp_path / "b.safetensors") as temporary:
        save_file({"a": np.zeros(3)}, temporary)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask, path.name


def test_a_block_that_writes_nothing_leaves_nothing(tmp_path):
    with pytest.raises(Exception, match="cannot write"), atomic(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())
