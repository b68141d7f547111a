import hashlib
import io
import tarfile

import numpy as np
import pytest

from lowparam.data import cifar
from lowparam.data.sources import cifar10, cifar100
from lowparam.errors import LowparamError
from lowparam.params import Data


def archive(path, members: dict[str, bytes]) -> str:
    """Write an archive as the authors do, and return its checksum."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-binary/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return "md5:" + hashlib.md5(path.read_bytes()).hexdigest()


def image(red: int, green: int, blue: int) -> bytes:
    return bytes([red]) * 1024 + bytes([green]) * 1024 + bytes([blue]) * 1024


@pytest.fixture
def ten(tmp_path, monkeypatch):
    """CIFAR-10 with one image a file."""
    members = {f"data_batch_{number}.bin": bytes([number]) + image(number, 100, 200) for number in range(1, 6)}
    members["test_batch.bin"] = bytes([9]) + image(1, 2, 3) + bytes([0]) + image(4, 5, 6)
    members["batches.meta.txt"] = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
    monkeypatch.setitem(cifar10.FILES, cifar10.ARCHIVE, archive(tmp_path / cifar10.ARCHIVE, members))
    return Data(source="cifar10", path=str(tmp_path))


def test_images_and_labels_are_in_their_order(ten):
    splits, classes = cifar10.read("cifar10", ten)
    assert classes[0] == "airplane" and len(classes) == 10
    assert splits["train"].labels.tolist() == [1, 2, 3, 4, 5]
    assert splits["test"].labels.tolist() == [9, 0]
    assert splits["test"].pixels.shape == (2, 3, 32, 32)
    assert (splits["test"].pixels[1].flatten(1).unique(dim=1).squeeze() == np.array([4, 5, 6])).all()


def test_rows_are_height_and_columns_are_width(tmp_path, monkeypatch):
    """The authors: the first 32 entries are the red values of the first row."""
    ramp = bytes(range(32)) * 32 + bytes(2048)
    members = {"train.bin": bytes([3, 42]) + ramp, "test.bin": bytes([3, 42]) + ramp}
    members["fine_label_names.txt"] = "\n".join(f"thing_{number}" for number in range(100)).encode()
    monkeypatch.setitem(cifar100.FILES, cifar100.ARCHIVE, archive(tmp_path / cifar100.ARCHIVE, members))
    splits, classes = cifar100.read("cifar100", Data(source="cifar100", path=str(tmp_path)))
    assert classes[splits["train"].labels[0]] == "thing_42"  # the fine label, not the coarse 3
    assert splits["train"].pixels[0, 0, 7].tolist() == list(range(32))


def test_a_truncated_archive_is_refused_by_name(ten):
    path = cifar.Path(ten.path) / cifar10.ARCHIVE
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(LowparamError, match=r"cifar-10-binary\.tar\.gz is not the file that was published: its md5"):
        cifar10.read("cifar10", ten)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(LowparamError, match=r"cifar-10-binary\.tar\.gz does not exist; fetch https.* and put it there"):
        cifar10.read("cifar10", Data(source="cifar10", path=str(tmp_path)))
