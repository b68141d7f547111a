"""Every table and figure has a caption, in its own file, that reads as one."""

import re
from pathlib import Path

import pytest

from lowparam import catalogue, registry
from lowparam.errors import LowparamError
from lowparam.params import load

PARAMS = load(Path(__file__).parents[2] / "params.yaml")
SUBJECTS = {**PARAMS.experiments, "star": "star", "toy": "toy"}


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_table_and_figure_has_a_caption(name):
    for folder in (catalogue.TABLES, catalogue.FIGURES):
        for of in (None, "verdicts"):
            for output in catalogue.outputs(folder, SUBJECTS[name], of):
                assert output.caption.strip().endswith((".", "}")), output.name
                assert output.about, output.name


@pytest.mark.parametrize("folder", [catalogue.TABLES, catalogue.FIGURES])
def test_every_file_is_a_table_or_figure_of_something(folder):
    used = {
        output.entry
        for subject in SUBJECTS.values()
        for of in (None, "verdicts")
        for output in catalogue.outputs(folder, subject, of)
    }
    assert used == set(registry.entries(folder))


@pytest.mark.parametrize("folder", [catalogue.TABLES, catalogue.FIGURES])
def test_captions_are_in_the_words_of_the_field(folder):
    for name in registry.entries(folder):
        caption = registry.constants(folder, name)["CAPTION"]
        assert not re.search(r"\b(says|beside|stands|for want of|goes on)\b", caption), name


def test_a_condition_that_does_not_exist_is_named_with_the_nearest(monkeypatch):
    monkeypatch.setattr(registry, "constants", lambda *_: {"CAPTION": "Some.", "APPLIES": ("compares_probe",)})
    catalogue._declared.cache_clear()
    with pytest.raises(LowparamError, match=r"unknown condition .*did you mean 'compares_probes'"):
        catalogue.tables("digits")
    catalogue._declared.cache_clear()
