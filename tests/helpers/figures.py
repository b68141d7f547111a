"""Every figure of the project, drawn from made-up results of any number of architectures, budgets and seeds."""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from lowparam import registry
from lowparam.catalogue import FIGURES, Output
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, SUPPORTED, Finding
from lowparam.params import Params
from lowparam.report.context import Context, Profiles
from lowparam.report.figures import ablation, crossing, deployment, dose_response, eight_bits, elements_slope
from lowparam.report.layout import fit
from lowparam.report.star_pairs import MEASURES
from lowparam.studies.star.moons import X_RANGE, Y_RANGE
from synthetic import grid

PROBES = ["none", "solu_s1", "solu_s1_ln", "solu_s2", "solu_s3", "relu_s1", "scale_s1"]
BLOCKS = [
    "mobilenetv1",
    "mobilenetv2",
    "mobilenetv3",
    "mobilenext",
    "convnext",
    "convnextv2",
    "nodepth_a",
    "nodepth_bp",
]
BUDGETS = ["10k", "25k", "50k", "100k", "250k", "500k"]


@dataclass(frozen=True)
class Case:
    """How much there is to draw, and how badly it went."""

    architectures: int = 6
    budgets: int = 4
    probes: int = 2
    seeds: int = 3
    wide: bool = False
    missing: float = 0.0
    untrained_from: float = 2.0

    def names(self, kind: str = "blocks") -> list[str]:
        """Architectures, with those that a kind of figure needs."""
        if kind == "stars":
            bases = ["demonet_{}", "demonet_{}_noact", "starnet{}", "starnet{}_noact"]
            names = [f"demonet_{{}}_d{12 * k}_w{8 * k}" for k in range(1, self.architectures)]
            chosen = [*bases, *names][: self.architectures]
            return [
                name.format(op if "demonet" in name else {"star": "", "sum": "_sum"}[op])
                for name in chosen
                for op in ("star", "sum")
            ]
        variants = ["", "+se", "@long", "+layernorm", "+gelu", "@" + "a_long_name_of_a_variant"]
        return [block + variant for variant in variants for block in BLOCKS][: self.architectures]

    def runs(self, kind: str = "blocks") -> pd.DataFrame:
        """Runs as in runs.csv."""
        rng = np.random.default_rng(0)
        runs = grid(self.names(kind), PROBES[: self.probes], BUDGETS[: self.budgets], self.seeds)
        place = runs["architecture"].map({name: k for k, name in enumerate(self.names(kind))}) / self.architectures
        spread = np.where(place < 0.2, 0.3, 0.004) if self.wide else 0.004
        accuracy = 0.97 - 0.1 * place - 300 / runs["parameters_total"] + spread * rng.normal(size=len(runs))
        measured = {
            "test_accuracy": accuracy.clip(0.1, 1),
            "r_projection": 0.8 + 0.4 * place + spread * rng.normal(size=len(runs)),
        }
        for name in MEASURES:
            measured.setdefault(name, 1 + 0.3 * place + spread * rng.normal(size=len(runs)))
        gone = rng.random(len(runs)) < self.missing
        runs = runs.assign(**{name: values.mask(gone) for name, values in measured.items()})
        return runs.assign(
            status=np.where(gone, "diverged", np.where(place >= self.untrained_from, "untrained", "finished")),
            r_projection_null_sd=0.02,
            parameters_total=(runs["parameters_total"] * (1 - 0.01 * rng.random(len(runs)))).astype(int),
            macs=(runs["parameters_total"] * 40 * (1 + place)).astype(int),
        )

    def values(self, rows: int) -> np.ndarray:
        """Values of shape (rows, seeds)."""
        rng = np.random.default_rng(1)
        spread = np.where(np.arange(rows) == 0, 60.0 if self.wide else 0.5, 0.5)
        values = np.linspace(-2, 5, rows)[:, None] + spread[:, None] * rng.normal(size=(rows, self.seeds))
        return np.where(rng.random(values.shape) < self.missing, np.nan, values)


def draw(name: str, case: Case, monkeypatch):
    """Draw a figure as the writer does, but for saving it."""
    figure = MAKERS[name](case, monkeypatch)
    fit(figure)
    figure.draw_without_rendering()
    return figure


def _context(name: str, case: Case, kind: str = "blocks", **more) -> Context:
    context = Context(Params.model_construct(), "some", Output(name, name, "", ""), **more)
    context.__dict__["runs"] = case.runs(kind)
    context.__dict__["baseline"] = {"model": "logistic regression", "test": {"accuracy": 0.9}}
    return context


def _of_runs(name: str, kind: str = "blocks"):
    return lambda case, monkeypatch: registry.load(FIGURES, name).make(_context(name, case, kind))


def _of_tests(module, make_finding, tests: int = 5):
    """A figure that shows findings."""

    def make(case, monkeypatch):
        count = min(tests, case.architectures)
        found = [(f"C{k} a reading with a long name", *make_finding(case, k)) for k in range(count)]
        monkeypatch.setattr(module, "findings_in", lambda *_: found)
        return module.make(_context(module.__name__.rpartition(".")[2], case))

    return make


def _finding(**data) -> Finding:
    return Finding(estimate=1.5e4, low=1.2e4, high=3e4, p_for=0.01, p_against=0.99, unit="parameters", n=3, data=data)


def _crossing(case, k):
    sizes = 1e4 * 2.0 ** np.arange(max(case.budgets, 2))
    test = SimpleNamespace(outcome="test_accuracy", size=["parameters_total", "macs"][k % 2])
    return test, _finding(sizes=sizes, lead=case.values(len(sizes)))


def _dose(case, k):
    count = max(case.budgets, 3)
    sized = k % 2 == 0
    doses = np.log2(1e4) + np.arange(count) if sized else np.arange(count, dtype=float)
    more = {"moved": case.values(count)} if k % 3 else {}
    test = SimpleNamespace(outcome="test_accuracy", minus=None, moved="r_projection", doses=None if sized else {})
    return test, _finding(doses=doses, responses=case.values(count), **more)


def _ablation(case, k):
    names = [
        "mobilenetv2",
        "ablation_mobilenetv2_stream",
        "mobilenetv2+layernorm",
        "ablation_mobilenetv2_hidden",
        "convnext",
    ]
    test = SimpleNamespace(
        plus={"architecture": [names[k % 5]]},
        minus={"architecture": [names[(k + 1) % 5]]},
        outcome=next(iter(ablation.ABLATED)),
    )
    return test, _finding(seeds=case.values(3)[k % 3])


def _elements(case, k):
    parts = case.values(max(2, case.architectures))
    x = np.stack([np.nan_to_num(parts), np.nan_to_num(parts) + 1], 1)
    test = SimpleNamespace(measure="r_projection", outcome="test_accuracy")
    names = np.array([f"part{place}" for place in range(len(parts))])
    return test, _finding(x=x, y=0.5 * x[::-1], parts=names, hosts=np.array(["mobilenetv1", "mobilenetv2"]))


def _claims(case, monkeypatch):
    units = ["points", "parameters", "points per doubling", "rank correlation", "rank / formula"]
    rows = []
    for k in range(4 * case.architectures):
        unit = units[(k // 3) % len(units)]
        estimate = 2e4 if unit == "parameters" else float(k % 7 - 2)
        half = (200.0 if k % 5 == 0 and case.wide else 1.0) * (1e3 if unit == "parameters" else 1)
        verdict = [SUPPORTED, CONTRADICTED, INCONCLUSIVE][k % 3]
        low = max(estimate - half, 1.0) if unit == "parameters" else estimate - half
        rows.append(
            {
                "claim": f"C{k // 4}",
                "test": f"reading_{k}_with_a_name",
                "unit": unit,
                "estimate": estimate,
                "low": low,
                "high": estimate + half,
                "verdict": verdict,
                "primary": k % 4 == 0,
                "paper_value": 3.0 if k == 1 else np.nan,
            }
        )
    if case.missing:
        rows[0]["low"] = -math.inf
    verdicts = SimpleNamespace(rows=pd.DataFrame(rows))
    return registry.load(FIGURES, "claims").make(_context("claims", case, verdicts=verdicts))


def _tuning(case, monkeypatch):
    rows = [
        {
            "architecture": name,
            "probe": probe,
            "lr": lr,
            "seed": seed,
            "clip_norm": "none",
            "check": "",
            "status": "diverged" if lr > 0.05 and case.missing else "finished",
            "chosen": lr == 0.01,
            "validation_accuracy": None if lr > 0.05 and case.missing else 0.9 - 0.01 * k,
        }
        for k, name in enumerate(case.names())
        for probe in PROBES[: case.probes]
        for lr in (0.001, 0.003, 0.01, 0.03, 0.1)
        for seed in (0, 1)
    ]
    return registry.load(FIGURES, "tuning").draw(pd.DataFrame(rows), ["lr", "clip_norm"] if case.probes < 3 else ["lr"])


def _profiles(name: str, case: Case) -> Profiles:
    generator = torch.Generator().manual_seed(0)
    sites = [f"stages.{stage}.{block}" for stage in range(4) for block in range(3)]
    measures = {
        "chi": "stream",
        "chi_floor": "stream",
        "capacity_used": "stream",
        "dimensionality_ratio": "projection",
        "floor_tight": "projection",
        "dimensionality": "projection",
        "log_ci": "projection",
    }
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"measure": measure, "kind": kind, "site": f"{site}.{kind}", "null": 1.0, "untrained": 0.9}
        for measure, kind in measures.items()
        for site in sites
    )
    tables = [table.assign(value=0.5 + 0.2 * rng.random(len(table)), lower=0.4, upper=0.8) for _ in range(case.seeds)]
    if case.missing:
        tables[-1]["value"] = np.nan
    classes = [f"a class with a long name {k}" for k in range(10)]
    kept = {}
    for stage in range(4):
        site = f"stages.{stage}.2.stream"
        kept[f"{site}/cross_talk"] = torch.randn(10, 10, generator=generator)
        kept[f"{site}/eigenvalues"] = torch.rand(20, generator=generator).sort(descending=True).values + 0.1
        kept[f"{site}/images"] = torch.tensor(200.0)
        kept[f"stages.{stage}.2.projection/directions"] = torch.randn(16, 24, generator=generator)
    labels = ["own activation", "SoLU (S1), layer norm"][: min(case.probes, 2)]
    return Profiles(dict.fromkeys(labels, tables), dict.fromkeys(labels, kept), classes)


def _of_profiles(name: str):
    return lambda case, monkeypatch: registry.load(FIGURES, name).draw(_profiles(name, case))


def _dimension(case, monkeypatch):
    rows = [
        {"operator": o, "bias": b, "channels": d, "rank": d * d // 2 + 2}
        for o in ("star", "sum")
        for b in (True, False)
        for d in (1, 2, 4, 8, 16, 32)
    ]
    growth = [
        {"layers": layers, "channels": d, "bias": True, "rank": d**layers + 1, "rank_last": d + 1}
        for layers in (1, 2, 3)
        for d in (1, 2, 4, 8)
    ]
    return registry.load(FIGURES, "dimension").draw(pd.DataFrame(rows), pd.DataFrame(growth))


def _geometry(case, monkeypatch):
    densities = np.geomspace(1, 0.01, 8)
    sweep = pd.DataFrame({"density": densities, "features_per_dimension": np.linspace(1, 3, 8)})
    features = pd.DataFrame({"density": densities.repeat(20), "dimensionality": np.linspace(0, 1, 160)})
    return registry.load(FIGURES, "geometry").draw(sweep, features)


def _grams(case, monkeypatch):
    names = ["digon", "triangle", "square", "pentagon", "tetrahedron", "square antiprism", "two digons"]
    shapes = pd.DataFrame([{"shape": name, "n": 5, "m": 2, "density": 0.05} for name in names])
    grams = pd.DataFrame(
        [{"shape": n, "i": i, "j": j, "value": float(i == j)} for n in names for i in range(5) for j in range(5)]
    )
    return registry.load(FIGURES, "grams").draw(shapes, grams)


def _moons(case) -> pd.DataFrame:
    nets = ["S" * k + "+" * (4 - k) for k in range(5)] + ["+" * (4 - k) + "S" * k for k in range(1, 4)]
    return pd.DataFrame(
        [
            {
                "net": net,
                "activation": activation,
                "seed": seed,
                "train_best": 0.9 + 0.01 * seed,
                "fresh": 0.85,
                "agree_svm_poly": 0.8 + 0.05 * seed,
            }
            for net in nets
            for activation in ("relu", "none")
            for seed in range(3)
        ]
    )


def _moons_boundaries(case, monkeypatch):
    x, y = np.meshgrid(np.linspace(*X_RANGE, 30), np.linspace(*Y_RANGE, 20))
    share = (x > y).astype(float)
    names = ["++++-relu", "SSSS-relu", "svm_poly", "++++-none", "SSSS-none", "svm_rbf"]
    grids = {name: share * (1 if name.startswith("svm") else 3) for name in names}
    return registry.load(FIGURES, "moons_boundaries").draw(_moons(case), grids)


def _phase(case, monkeypatch):
    outcomes = ["neither", "first", "second", "superposition"]
    rows = [
        {"importance": i, "density": d, "outcome": outcomes[(k + m) % 4]}
        for k, i in enumerate(np.geomspace(0.1, 10, 6))
        for m, d in enumerate(np.geomspace(0.01, 1, 6))
    ]
    return registry.load(FIGURES, "phase").draw(pd.DataFrame(rows))


def _sweeps(case, monkeypatch):
    sizes = [(12, 8 * k) for k in range(1, case.budgets + 2)] + [(4 * k, 16) for k in range(1, case.budgets + 2)]
    names = [
        f"demonet_{arm}_d{d}_w{w}".replace("_noact_d", "_noact_d")
        for arm in ("star", "sum", "star_noact", "sum_noact")
        for d, w in dict.fromkeys(sizes)
    ]
    runs = grid(names, ["none"], ["published"], case.seeds)
    rng = np.random.default_rng(0)
    runs["test_accuracy"] = 0.8 + (0.2 if case.wide else 0.01) * rng.normal(size=len(runs))
    return registry.load(FIGURES, "star_sweeps").draw(runs)


def _variants(case, monkeypatch):
    names = [
        "starnet",
        "starnet_sum",
        "starnet_sum1",
        "starnet_sum12",
        "starnet_noact",
        "starnet_actboth",
        "starnet_gelu",
    ]
    runs = grid(names, ["none"], BUDGETS[: case.budgets], case.seeds)
    rng = np.random.default_rng(0)
    runs["test_accuracy"] = 0.8 + (0.2 if case.wide else 0.01) * rng.normal(size=len(runs))
    return registry.load(FIGURES, "star_variants").draw(runs)


def _readings(case, monkeypatch):
    module = registry.load(FIGURES, "readings")
    parts = []
    for titles, names, label in (
        (module.SOLU, PROBES[1 : case.probes + 1], module.probe_label),
        (module.NODEPTH, ["nodepth_a", "nodepth_bp", "nodepth_c"], module.architecture_label),
    ):
        rows = [
            {"claim": claim, "test": test, "reading": name, "verdict": [SUPPORTED, CONTRADICTED, INCONCLUSIVE][k % 3]}
            | dict(zip(("low", "estimate", "high"), (k - 1, k, k + (300 if case.wide and not k else 1)), strict=True))
            for claim, test in titles
            for k, name in enumerate(names)
        ]
        parts.append((pd.DataFrame(rows), titles, names, label))
    return module.draw(parts)


def _deployment(case, monkeypatch):
    """What a device needs of the runs without probe: bytes and milliseconds that rise with the parameters."""
    context = _context("deployment", case)
    runs = context.runs[context.runs["probe"] == "none"]
    size = runs["parameters_total"]
    measured = runs.assign(
        int8_accuracy=runs["test_accuracy"] - 0.01,
        weight_bytes_int8=size,
        arena_bytes_int8=4 * size**0.9,
        int8_latency=0.01 + size / 1e6,
    )
    monkeypatch.setattr(deployment, "measured", lambda _: measured)
    return deployment.make(context)


def _eight_bits(case, monkeypatch):
    """What 8 bits cost networks that diverged in no run."""
    context = _context("eight_bits", case)
    runs = context.runs
    context.__dict__["runs"] = runs.assign(int8_loss=0.02 * runs["r_projection"] - 0.01)
    return eight_bits.make(context)


def _dosed(case: Case) -> pd.DataFrame:
    """Runs on known features, as `lowparam.report.known_doses.dosed_runs` returns them."""
    runs = [
        case.runs().assign(features=features, presence=presence, block=lambda table: table["architecture"])
        for presence in (0.05, 0.2)
        for features in (6, 12, 24, 48, 96)
    ]
    runs = pd.concat(runs, ignore_index=True)
    share = (runs["r_projection"] - 0.6).clip(0, 1)
    return runs.assign(
        features_explained=share * runs["features"],
        features_limit=runs["features"].clip(upper=30),
        true_chi_last=runs["features"] / 100 + 0.1 * runs["r_projection"],
    )


def _of_doses(name: str):
    return lambda case, monkeypatch: registry.load(FIGURES, name).draw(_dosed(case))


def _calibration(case, monkeypatch):
    names = [f"a_measure_with_a_name_{k}" for k in range(5 + case.architectures)]
    rho = np.linspace(-1, 1, len(names))
    found = pd.DataFrame({"measure": names, "rho_chi": rho, "rho_dimensionality": -0.8 * rho})
    if case.missing:
        found.loc[0, "rho_dimensionality"] = np.nan
    return registry.load(FIGURES, "calibration").draw(found)


MAKERS = {
    **{name: _of_doses(name) for name in ("features_found", "features_phase", "true_interference")},
    "calibration": _calibration,
    **{
        name: _of_runs(name)
        for name in ("accuracy", "interference", "scaling", "interference_accuracy", "solu_gap", "pareto")
    },
    "elements": _of_runs("elements"),
    "star_interference": _of_runs("star_interference", "stars"),
    **{name: _of_profiles(name) for name in ("profile", "directions", "spectra", "cross_talk")},
    "crossing": _of_tests(crossing, _crossing),
    "dose_response": _of_tests(dose_response, _dose),
    "ablation": _of_tests(ablation, _ablation),
    "elements_slope": _of_tests(elements_slope, _elements),
    "deployment": _deployment,
    "eight_bits": _eight_bits,
    "claims": _claims,
    "readings": _readings,
    "tuning": _tuning,
    "dimension": _dimension,
    "geometry": _geometry,
    "grams": _grams,
    "moons_boundaries": _moons_boundaries,
    "moons_placement": lambda case, monkeypatch: registry.load(FIGURES, "moons_placement").draw(_moons(case)),
    "phase": _phase,
    "star_sweeps": _sweeps,
    "star_variants": _variants,
}
