"""The package that users install works without this repository."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USE = """
import lowparam, torch
from pathlib import Path
assert Path(lowparam.__file__).is_relative_to({site!r}), lowparam.__file__
torch.manual_seed(0)
net = lowparam.create_model("mobilenetv2+se", budget="10k", classes=4, in_channels=1, size=8)
images, labels = torch.rand(120, 1, 8, 8), torch.arange(120) % 4
table = lowparam.profile(net, images, labels)
assert len(table) and "chi" in set(table["measure"])
found = lowparam.export(net.eval(), images, "net.pt2", to="torch", labels=labels)
assert found["same_predictions"] == 120, found
print("used", lowparam.__version__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built as ``python -m build`` does, with what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        needed = name.startswith("workflow/") or name in ("pyproject.toml", "README.md", "LICENSE")
        if needed and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(folder), str(copy)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_has_every_module_and_what_they_read(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files", "workflow/lowparam"], cwd=ROOT, capture_output=True, text=True)
    wanted = {name.removeprefix("workflow/") for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert wanted <= inside, wanted - inside


@pytest.mark.slow
def test_a_fresh_environment_uses_the_wheel_without_the_repository(wheel, tmp_path):
    place, site = tmp_path / "environment", tmp_path / "site"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    # The libraries of this environment; the repository is none of them.
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    own = next((place / "lib").glob("python*/site-packages"))
    (own / "here.pth").write_text(f"{site}\n{libraries}\n")
    command = [str(place / "bin/python"), "-P", "-c", USE.format(site=str(site))]
    own_home = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=own_home)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("used ") and (tmp_path / "net.pt2").is_file()
