"""Studies are found by themselves, and what they declare is right."""

import subprocess
import sys
from pathlib import Path

import pytest

from lowparam import params, registry, studies
from lowparam.errors import LowparamError

ROOT = Path(__file__).parents[2]
MINIMAL = """
data: {digits: {source: digits, split: {train: 0.6, validation: 0.2, test: 0.2}}}
recipes: {short: {epochs: 1, batch_size: 8, lr: 0.01}}
experiments:
  tiny: {data: digits, recipe: short, architectures: [mobilenetv2], probes: [none], budgets: [5k], seeds: [0]}
replicate: [tiny]
"""


@pytest.fixture
def settings(tmp_path):
    def make(text=""):
        (tmp_path / "params.yaml").write_text(MINIMAL + text)
        return params.load(tmp_path / "params.yaml")

    return make


def test_every_folder_is_a_study_and_every_part_writes_files_of_its_own():
    assert studies.names() == ["star", "toy"]
    assert [(part.study, part.name) for part in studies.parts()] == [
        ("star", "dimension"), ("star", "moons"), ("toy", "absolute"), ("toy", "geometry"), ("toy", "phase"),
    ]  # fmt: skip
    outputs = [file for part in studies.parts() for file in part.outputs]
    assert len(outputs) == len(set(outputs))
    assert outputs[0] == Path("results/star/dimension.csv")
    assert studies.find("star").judged == ("dimension", "growth") and not studies.find("toy").judged
    assert all(part.about for part in studies.parts())


def test_every_setting_belongs_to_a_part():
    for name in studies.names():
        used = {key for part in studies.find(name).parts for key in part.settings}
        assert used == set(studies._settings_of(name).model_fields)


def test_a_setting_changes_the_specification_of_its_parts_only(settings):
    star = studies.find("star")
    before, after = settings(), settings("studies: {star: {growth_limit: 100}}")
    assert star.part("moons").spec(before) == star.part("moons").spec(after)
    assert star.part("dimension").spec(before) == {"dimensions": 24, "layers": 3, "growth_limit": 1300}
    assert star.part("dimension").spec(after)["growth_limit"] == 100


def test_parts_receive_their_settings(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studies.find("star").part("dimension").run(settings("studies: {star: {dimensions: 2, growth_limit: 10}}"))
    assert len((tmp_path / "results/star/dimension.csv").read_text().splitlines()) == 1 + 2 * 2 * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("studies: {stra: {}}", "studies.stra"),
        ("studies: {star: {layer: 3}}", "studies.star.layer"),
        ("studies: {star: {placements: ['SSSS']}}", "studies.star.*must name '[+]{4}'"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(settings, text, message):
    with pytest.raises(LowparamError, match=message) as refusal:
        settings(text)
    assert "\n" not in str(refusal.value)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(LowparamError, match="unknown study 'stars'; did you mean 'star'"):
        studies.find("stars")
    with pytest.raises(LowparamError, match="unknown part of study toy 'phases'; did you mean 'phase'"):
        studies.find("toy").part("phases")


def test_a_part_cannot_name_a_setting_that_does_not_exist(monkeypatch):
    real = registry.constants
    wrong = {"SETTINGS": ("seed",)}
    monkeypatch.setattr(registry, "constants", lambda *of: real(*of) | (wrong if of[1] == "moons" else {}))
    with pytest.raises(LowparamError, match=r"key in SETTINGS of lowparam/studies/star/moons.py 'seed'; did you mean"):
        studies.find.__wrapped__("star")


def test_looking_for_studies_imports_none_of_them():
    code = "import sys; from lowparam import studies, params; studies.parts()\n"
    code += "print(*sorted({'torch', 'pandas', 'numpy', 'lowparam.studies.star.moons'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "\n"
