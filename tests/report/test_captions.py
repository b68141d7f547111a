"""Every table and figure has a caption, in its own file, that reads as one."""

import re
from pathlib import Path

import pytest

from lowparam import catalogue, registry
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.context import Context

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


@pytest.mark.parametrize(
    ("declared", "hint"),
    [
        ({}, "has no CAPTION; write a sentence"),
        ({"APPLIES": ("compares_probe",)}, "unknown condition .*did you mean 'compares_probes'"),
        ({"APPLIES": "compares_probes"}, "must be a tuple"),
        ({"OF": "verdict"}, "unknown OF in .* 'verdict'; did you mean 'verdicts'"),
        ({"PER": "architecture"}, "must be 'family'"),
        ({"OF": "star", "PER": "family"}, "in a figure of an experiment"),
    ],
)
def test_a_mistake_in_what_a_file_declares_gets_one_line(declared, hint, monkeypatch):
    caption = {"CAPTION": "Some."} if declared else {}
    monkeypatch.setattr(registry, "constants", lambda *_: caption | declared)
    catalogue._declared.cache_clear()
    with pytest.raises(LowparamError, match=hint):
        catalogue.tables("star")
    catalogue._declared.cache_clear()


def test_a_placeholder_that_nothing_fills_in_is_named():
    output = catalogue.Output("some", "some", "", "Of {images} images.")
    with pytest.raises(LowparamError, match=r"the caption of some names \{images\}"):
        Context(PARAMS, "digits").caption(output)
    assert Context(PARAMS, "digits").caption(output, {"images": 3}) == "Of 3 images."
