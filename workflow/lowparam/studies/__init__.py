"""Studies: experiments that need no grid of trainings, such as counted ranks and toy models.

A study is a folder ``studies/<name>/``, found by itself; its results are in ``results/<name>/``. It contains

``__init__.py``
    A docstring, whose first line states what the study shows. If claims are judged on the study, also the literals
    ``JUDGED`` (the csv files, without suffix, that tests read, stacked with a column ``table``), ``DATA`` (what a row
    is; a kind of claim is judged only on the data that it names), ``PLACE`` (two words for the overview of all claims)
    and ``ABOUT`` (a sentence for the report, in which ``{rows}`` is the number of rows).
``settings.py`` (optional)
    A class ``Settings(Section)`` with a default for every key: the section ``studies.<name>`` of params.yaml.
``<part>.py``
    One file is one part: the rule ``<name>_<part>`` and the command ``lowparam study <name> <part>``. It declares the
    literals ``OUTPUTS`` (files that it writes into the folder of the results) and, if it has settings, ``SETTINGS``
    (the keys of `Settings` that change these files), and defines ``write(settings, folder)``, which writes them.

Other files of the folder are helpers. Tables and figures of the study are files in ``report/tables`` and
``report/figures`` with ``OF = "<name>"``; they depend on all outputs of the study.

This module imports no study but its settings, because the Snakefile reads it at every start.
"""

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from lowparam import paths, registry
from lowparam.errors import LowparamError
from lowparam.section import Section

if TYPE_CHECKING:
    from lowparam.params import Params

__all__ = ["Part", "Study", "StudySettings", "find", "names", "parts"]

FOLDER = "studies"


@dataclass(frozen=True)
class Part:
    """A part of a study: what one command computes.

    Parameters
    ----------
    study, name : str
        Folder and file.
    about : str
        First line of the file's docstring.
    outputs : tuple of Path
        Files that it writes, relative to the folder with params.yaml.
    settings : tuple of str
        Keys of the study's settings that change these files.
    """

    study: str
    name: str
    about: str
    outputs: tuple[Path, ...]
    settings: tuple[str, ...]

    @property
    def target(self) -> str:
        """The definition that computes the part, as `lowparam.provenance.digest` takes it."""
        return f"{FOLDER}/{self.study}/{self.name}.py:write"

    def spec(self, params: "Params") -> dict[str, Any]:
        """Return the settings that the outputs depend on, as plain values.

        Defaults are included, because nothing else would notice that one has changed.
        """
        return find(self.study).settings(params).model_dump(include=set(self.settings))

    def run(self, params: "Params") -> None:
        """Compute the part and write its outputs."""
        module = importlib.import_module(f"lowparam.{FOLDER}.{self.study}.{self.name}")
        from lowparam.threads import one_thread  # imports torch

        with one_thread():
            module.write(find(self.study).settings(params), paths.experiment(self.study))


@dataclass(frozen=True)
class Study:
    """A study with its parts.

    Parameters
    ----------
    name : str
        Name of its folder here and in ``results/``.
    about : str
        First line of its docstring.
    parts : tuple of Part
        Sorted by name.
    judged : tuple of str
        Names, without suffix, of the csv files that claims are judged on; empty if none are.
    """

    name: str
    about: str
    parts: tuple[Part, ...]
    judged: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        """The files that all parts write; what tables and figures are made from."""
        return [file for part in self.parts for file in part.outputs]

    def part(self, name: str) -> Part:
        """Return a part by name.

        Raises
        ------
        LowparamError
            If the study has no such part; the message offers the nearest name.
        """
        return registry.get(name, {part.name: part for part in self.parts}, f"part of study {self.name}")

    def settings(self, params: "Params") -> Section:
        """Return the section ``studies.<name>`` of params.yaml."""
        return getattr(params.studies, self.name)


def names() -> list[str]:
    """Return the names of all studies, sorted."""
    return registry.entries(FOLDER)


@cache
def find(name: str) -> Study:
    """Return a study by name.

    Raises
    ------
    LowparamError
        If there is no such study, if it has no parts, or if a part names a setting that the study does not have.
    """
    if name not in names():
        raise LowparamError(f"unknown study {name!r}; {registry.nearest(name, names())}")
    folder, keys = f"{FOLDER}/{name}", _settings_of(name).model_fields
    found = []
    for file in registry.entries(folder):
        declared = registry.constants(folder, file)
        if "OUTPUTS" not in declared:
            continue
        settings = tuple(declared.get("SETTINGS", ()))
        for key in settings:
            registry.get(key, keys, f"key in SETTINGS of lowparam/{folder}/{file}.py")
        outputs = tuple(paths.experiment(name) / output for output in declared["OUTPUTS"])
        found.append(Part(name, file, registry.about(folder, file), outputs, settings))
    if not found:
        raise LowparamError(f"lowparam/{folder} has no part: no file in it declares OUTPUTS")
    judged = tuple(registry.constants(FOLDER, name).get("JUDGED", ()))
    return Study(name, registry.about(FOLDER, name), tuple(found), judged)


def parts() -> list[Part]:
    """Return the parts of all studies."""
    return [part for name in names() for part in find(name).parts]


@cache
def _settings_of(name: str) -> type[Section]:
    """Return the class of a study's settings; a section without keys if it declares none."""
    if "settings" not in registry.entries(f"{FOLDER}/{name}"):
        return Section
    return importlib.import_module(f"lowparam.{FOLDER}.{name}.settings").Settings


def _section() -> type[Section]:
    """Build the section ``studies`` of params.yaml from the settings that studies declare."""
    fields: dict[str, Any] = {
        name: (_settings_of(name), Field(_settings_of(name)(), description=registry.about(FOLDER, name)))
        for name in names()
    }
    return create_model("StudySettings", __base__=Section, __doc__="Settings of the studies, by name.", **fields)


StudySettings = _section()
"""The section ``studies`` of params.yaml."""
