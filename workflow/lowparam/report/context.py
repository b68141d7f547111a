"""What a table or figure is made from: settings, runs, profiles and verdicts of one experiment or study."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowparam import paths, registry, studies
from lowparam.catalogue import Output
from lowparam.errors import LowparamError
from lowparam.files import read_csv, read_json
from lowparam.params import Experiment, Params, Scale, are_numbers, format_size
from lowparam.report.estimates import blank_diverged
from lowparam.report.labels import architecture_label, probe_label

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from lowparam.claims.registry import Registry

__all__ = ["Context", "Profiles"]


@dataclass(frozen=True)
class Profiles:
    """Interference profiles of one network, by probe.

    Parameters
    ----------
    tables : mapping of str to sequence of DataFrame
        Profiles of each seed, by the printed name of the probe.
    arrays : mapping of str to mapping of str to Tensor
        What `lowparam.interference.figure_data` keeps of the first seed, by the same names.
    classes : sequence of str
        Names of the classes.
    line : str
        How the measured networks are called next to the untrained ones.
    """

    tables: "Mapping[str, Sequence[pd.DataFrame]]"
    arrays: "Mapping[str, Mapping[str, Tensor]]"
    classes: Sequence[str]
    line: str = "trained"


@dataclass(frozen=True)
class Context:
    """Everything a table or figure may use; files are read at first use.

    Parameters
    ----------
    params : Params
        All settings.
    name : str
        An experiment of params.yaml, or a study.
    output : Output, optional
        The table or figure in question; set by the writer.
    verdicts : optional
        What judging the claims returned, for tables and figures of verdicts.
    """

    params: Params
    name: str
    output: Output | None = None
    verdicts: Any = field(default=None, compare=False)

    @property
    def subject(self) -> Experiment | str:
        """The experiment, or the name of the study, as `lowparam.catalogue` takes it.

        Raises
        ------
        LowparamError
            If there is neither of this name; the message offers the nearest.
        """
        subjects: dict[str, Experiment | str] = {name: name for name in studies.names()}
        return registry.get(self.name, subjects | self.params.experiments, "experiment or study")

    @property
    def experiment(self) -> Experiment:
        """Settings of the experiment.

        Raises
        ------
        LowparamError
            If the context is that of a study.
        """
        return self.params.experiment(self.name)

    @property
    def folder(self) -> Path:
        """Where the results are: ``results/<name>``."""
        return paths.experiment(self.name)

    def read(self, name: str) -> "pd.DataFrame":
        """Read ``results/<name of the subject>/<name>.csv``."""
        return read_csv(self.folder / f"{name}.csv")

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """One row a run, as in runs.csv: accuracies are shares, memory is in bytes, diverged runs have no measures."""
        return blank_diverged(read_csv(paths.runs_table(self.name)))

    @property
    def seeds(self) -> int:
        """Number of seeds among the runs."""
        return self.runs["seed"].nunique()

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The linear model that networks should beat, as in baseline.json."""
        return read_json(paths.baseline(self.name))

    @cached_property
    def tuning(self) -> "pd.DataFrame":
        """One row a training of tuning: architecture, probe, budget, a column for each tuned recipe key, and more.

        ``status``, ``train_accuracy`` and ``validation_accuracy`` are those of the training; ``added`` has the keys
        whose list did not have the value, ``chosen`` tells whether the values were chosen, and ``at_edge`` has the keys
        at the end of whose list they then are, separated by commas. Values that are no numbers are text. ``check`` is
        empty, but for trainings at the largest budget, which compare the choice with its neighbours: there it is
        ``holds`` or ``fails``.
        """
        import pandas as pd

        return pd.DataFrame([row for scale in self.params.families(self.name) for row in _trials(scale)])

    @cached_property
    def registry(self) -> "Registry":
        """The claims and their tests."""
        from lowparam.claims.registry import load_registry

        return load_registry()

    @cached_property
    def profiles(self) -> Profiles:
        """Profiles of the last architecture of the output's family at its largest size, with the first two probes."""
        from lowparam.interference.figure_data import read

        assert self.output is not None and self.output.members, "profiles are for figures with PER = 'family'"
        runs = [run for run in self.params.runs(self.name) if run.scale.architecture == self.output.members[-1]]
        largest = max(run.scale.budget or 0 for run in runs)
        runs = [r for r in runs if (r.scale.budget or 0) == largest and r.scale.variant == runs[0].scale.variant]
        tables, arrays, classes = {}, {}, []
        for probe in self.experiment.probes[:2]:
            of_probe = [run for run in runs if run.scale.probe == probe]
            label = probe_label(probe)
            tables[label] = [read_csv(run.profile) for run in of_probe]
            arrays[label], classes = read(of_probe[0].profile.with_suffix(".safetensors"))
        return Profiles(tables, arrays, classes)

    def of(self, output: Output) -> "Context":
        """Return the same context for one table or figure; runs, baseline and claims are not read again."""
        other = replace(self, output=output)
        read = {"runs", "baseline", "registry"} & self.__dict__.keys()
        other.__dict__.update({key: self.__dict__[key] for key in read})
        return other

    def caption(self, output: Output, details: Mapping[str, Any] | None = None) -> str:
        """Fill in the placeholders of a caption."""
        return output.caption.format_map(_Placeholders(self, output, details or {}))


def _trials(scale: Scale) -> Iterator[dict[str, Any]]:
    found = read_json(paths.tuning(scale.experiment, scale.family))
    agrees = "holds" if found["check"] and found["check"]["agrees"] else "fails"
    for trial in found["trials"]:
        values = trial["values"]
        chosen = values == found["chosen"]
        yield {
            "architecture": scale.label,
            "probe": scale.probe,
            "budget": trial["budget"],
            **{key: _shown(value) for key, value in values.items()},
            **{key: trial[key] for key in ("seed", "status", "train_accuracy", "validation_accuracy")},
            "added": ",".join(key for key, added in found["added"].items() if values[key] in added),
            "chosen": chosen,
            "at_edge": ",".join(found["at_edge"]) if chosen else "",
            "check": "" if trial["budget"] == format_size(scale.budget) else agrees,
        }


def _shown(value: Any) -> float | int | str:
    """Return a recipe value as a column of a table can have it: a number, or text for a list, a switch or none."""
    if value is None:
        return "none"
    return value if are_numbers([value]) else str(value).strip("[]").lower()


class _Placeholders(dict):
    """What captions may name; read only if they do."""

    def __init__(self, context: Context, output: Output, details: Mapping[str, Any]) -> None:
        super().__init__(details)
        self.context, self.output = context, output

    def __missing__(self, key: str) -> Any:
        if key == "experiment":
            return self.context.name
        if key == "seeds":
            return self.context.seeds
        if key == "family":
            return architecture_label(self.output.family)
        raise LowparamError(f"the caption of {self.output.name} names {{{key}}}; fill it in by Table(details=...)")
