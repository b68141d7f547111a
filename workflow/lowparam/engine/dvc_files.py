"""Writes the files by which DVC records results.

    python workflow/stages.py                 # dvc.yaml: the experiments that params.yaml lists under `replicate`
    python workflow/stages.py fashion_mnist   # results/fashion_mnist/dvc.yaml: record one more

Plain `dvc repro` runs what dvc.yaml lists and nothing else, so nobody starts hours of training without naming them:
`dvc repro results/fashion_mnist/dvc.yaml`. `dvc pull` and `dvc status` see all files. Experiments share prepared data,
so those stand in dvc.yaml if one of its experiments reads them, else in `results/data/dvc.yaml`.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from lowparam import catalogue
from lowparam import params as parameters
from lowparam.errors import LowparamError
from lowparam.files import write_text
from lowparam.params import Params

__all__ = ["check", "stages", "write"]

HEADER = """\
# Written by `make record`; docs/dvc.md explains it. Snakemake decides which files of a stage are out of date, DVC
# records what came out. `persist` keeps DVC from deleting what Snakemake would keep; a record says how the files of a
# stage were made, and stands in the same lock entry, so that the two cannot drift apart.
"""

# What decides which jobs there are; the sources that they run through are listed with each stage.
RULES = ["Snakefile", "profiles/default", "workflow/rules"]
PLANNING = [*RULES, "workflow/lowparam/params.py", "workflow/lowparam/provenance.py"]


def stages(params: Params, name: str, suffix: str = "") -> dict[str, Any]:
    """Return the stages train, profile and report of an experiment, as DVC writes them."""
    chosen, folder, data = params.experiment(name), f"results/{name}", f"results/data/{params.experiment(name).data}"
    settings = [f"data.{chosen.data}", f"recipes.{chosen.recipe}", "defaults", f"experiments.{name}"]

    def stage(part: str, target: str, deps: list[str], outs: list[dict], **more) -> dict[str, Any]:
        return {
            "cmd": f"snakemake {target} && python -m lowparam.engine.metadata_records {part} {name}",
            "deps": sorted(["requirements.lock", data, *deps]),
            "params": settings,
            "outs": [in_cache(f"{folder}/benchmarks/{part}"), in_cache(f"{folder}/records/{part}.json"), *outs],
            **more,
        }

    sources = [*PLANNING, *(f"workflow/lowparam/{package}" for package in ("data", "models", "training"))]
    runs = [in_cache(f"{folder}/runs"), in_git(f"{folder}/baseline.json")]
    profiles = [in_cache(f"{folder}/profiles")]
    made = [next(iter(out)) for out in (*runs, *profiles)]
    return {
        f"train{suffix}": stage("train", f"{name}_runs", sources, runs),
        f"profile{suffix}": stage(
            "profile", f"{name}_profiles", [*sources, "workflow/lowparam/interference", f"{folder}/runs"], profiles
        ),
        f"report{suffix}": stage(
            "report",
            name,
            [*RULES, "workflow/claims.yaml", "workflow/lowparam", "workflow/report", *made],
            [
                (in_cache if file in ("figures", "report.html") else in_git)(f"{folder}/{file}")
                for file in catalogue.report_outputs(chosen)
                if file != "metrics.json"
            ],
            metrics=[in_git(f"{folder}/metrics.json")],
        ),
    }


def data_stage(params: Params, name: str) -> dict[str, Any]:
    """Return the stage that prepares a data set."""
    return {
        "cmd": f"snakemake results/data/{name}/manifest.json && python -m lowparam.engine.metadata_records data {name}",
        "deps": sorted([*PLANNING, "workflow/lowparam/data"]),
        "params": [f"data.{name}"],
        "outs": [in_cache(f"results/data/{name}")],
    }


def in_cache(path: str) -> dict[str, Any]:
    return {path: {"persist": True}}


def in_git(path: str) -> dict[str, Any]:
    return {path: {"cache": False, "persist": True}}


def write(params: Params, *names: str) -> None:
    """Write dvc.yaml, and the files of all other experiments that are recorded, with those of `names`.

    Raises
    ------
    LowparamError
        If params.yaml has no experiment of such a name.
    """
    wanted = contents_of_files(params, *names)
    for path, content in wanted.items():
        write_text(path, content)
        print(f"wrote {path}")
    for path in {str(path) for path in Path("results").glob("*/dvc.yaml")} - {*wanted}:
        # Of an experiment, or data, that dvc.yaml has now; DVC refuses what two stages make.
        if path == "results/data/dvc.yaml" or Path(path).parent.name in params.replicate:
            Path(path).unlink()
            Path(path).with_name("dvc.lock").unlink(missing_ok=True)


def check(params: Params) -> None:
    """Compare the files with the present settings.

    Raises
    ------
    LowparamError
        If one is not what `write` would write: DVC would then look at other settings than Snakemake does.
    """
    for path, content in contents_of_files(params).items():
        if not Path(path).exists() or Path(path).read_text(encoding="utf-8") != content:
            raise LowparamError(
                f"{path} is not that of the present params.yaml; type make record, which writes it anew"
            )


def contents_of_files(params: Params, *names: str) -> dict[str, str]:
    """What stands in dvc.yaml and in the files of other experiments: those that have one, and `names`."""
    recorded = {path.parent.name for path in Path("results").glob("*/dvc.yaml")} & {*params.experiments}
    others = sorted((recorded | {*names}) - {*params.replicate})
    read_here = sorted({params.experiment(name).data for name in params.replicate})
    read_there = sorted({params.experiment(name).data for name in others} - {*read_here})
    described: dict[str, Any] = {}
    for data in read_here:
        described["data" if len(read_here) == 1 else f"data_{data}"] = data_stage(params, data)
    for name in params.replicate:
        described |= stages(params, name, "" if len(params.replicate) == 1 else f"_{name}")
    plots = [plot(name, f"results/{name}/runs.csv") for name in params.replicate]
    files = {"dvc.yaml": text("dvc.yaml", described, plots)}
    for name in others:
        path = f"results/{name}/dvc.yaml"
        files[path] = text(path, stages(params, name), [plot(name, "runs.csv")])
    if read_there:
        path = "results/data/dvc.yaml"
        files[path] = text(path, {data: data_stage(params, data) for data in read_there})
    return files


def plot(name: str, table: str) -> dict[str, Any]:
    """What `dvc plots` draws, for one revision or for several beside each other."""
    return {name: {"template": "scatter", "x": "parameters_total", "y": {table: "test_accuracy"}}}


def text(path: str, described: dict[str, Any], plots: list[dict[str, Any]] | None = None) -> str:
    """A file of stages, whose paths are seen from the root."""
    root = "/".join([".."] * path.count("/"))
    if root:
        described = {name: {"wdir": root, **stage} for name, stage in described.items()}
    content = {"stages": described, **({"plots": plots} if plots else {})}
    return HEADER + yaml.dump(content, Dumper=Indented, sort_keys=False, width=120)


class Indented(yaml.SafeDumper):
    """Writes lists the way people do, and a list that occurs twice in full."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data):
        return True


if __name__ == "__main__":
    try:
        write(parameters.load(), *sys.argv[1:])
    except LowparamError as error:
        sys.exit(f"stages: {error}")
