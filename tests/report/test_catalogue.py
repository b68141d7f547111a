"""The catalogue alone decides which tables and figures there are, and is cheap to ask."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lowparam import catalogue
from lowparam.params import Experiment, load

ROOT = Path(__file__).parents[2]
EXPERIMENTS = load(ROOT / "params.yaml").experiments

FIVE_PARTS = ["se", "gelu", "ibn", "dcls", "spd"]


def an_experiment(**more) -> Experiment:
    given = {
        "data": "digits",
        "recipe": "digits",
        "architectures": ["mobilenetv1"],
        "probes": ["none"],
        "budgets": ["10k"],
        "seeds": [0],
    }
    return Experiment(**given | more)


def test_importing_it_reads_no_heavy_package_and_no_table():
    code = "import sys, lowparam.catalogue; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "lowparam.catalogue" in loaded
    assert not {"pandas", "numpy", "torch", "matplotlib", "scipy"} & set(loaded)
    assert not [name for name in loaded if name.startswith("lowparam.report")]


def test_rules_import_nothing_from_the_report():
    for file in (ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")):
        assert not re.search(r"lowparam\.report|from lowparam import .*\breport\b", file.read_text(encoding="utf-8")), (
            file
        )


def test_the_smallest_experiment_has_the_tables_and_figures_without_conditions():
    assert catalogue.tables(an_experiment()) == ["accuracy", "cost", "interference"]
    assert catalogue.figures(an_experiment())[:2] == ["accuracy", "interference"]


@pytest.mark.parametrize(
    ("more", "table"),
    [
        ({"probes": ["none", "solu_s1"]}, "solu_gap"),
        ({"seeds": [0, 1]}, "reliability"),
        ({"data": "fashion_mnist"}, "published"),
        ({"architectures": ["demonet_star", "demonet_sum"]}, "star_gap"),
        ({"architectures": ["demonet_star_noact", "demonet_star"]}, "star_activation"),
        ({"architectures": ["demonet_star_noact"]}, "bilinear"),
        ({"architectures": ["mobilenetv1", *(f"mobilenetv1+{part}" for part in FIVE_PARTS)]}, "elements"),
    ],
)
def test_a_table_appears_with_the_runs_that_it_needs(more, table):
    assert table not in catalogue.tables(an_experiment())
    assert table in catalogue.tables(an_experiment(**more))


@pytest.mark.parametrize(
    "architectures",
    [
        ["mobilenetv1", *(f"mobilenetv1+{part}" for part in FIVE_PARTS[1:])],  # four
        [f"mobilenetv1+{part}" for part in FIVE_PARTS],  # no block without them
        ["mobilenetv2", *(f"mobilenetv1+{part}" for part in FIVE_PARTS)],
    ],
)
def test_elements_need_a_block_and_five_parts_on_it(architectures):
    assert "elements" not in catalogue.tables(an_experiment(architectures=architectures))


def test_probes_alone_leave_nothing_to_compare():
    assert "solu_gap" not in catalogue.tables(an_experiment(probes=["solu_s1", "solu_s2"]))


def test_figures_of_profiles_are_one_for_each_family():
    sizes = [f"mobilenetv2_x{size}" for size in (0.25, 0.5)]
    chosen = an_experiment(mode="published", budgets=[], architectures=[*sizes, "timm:resnet18"])
    profiles = [figure for figure in catalogue.outputs(catalogue.FIGURES, chosen) if figure.entry == "profile"]
    assert [(figure.name, figure.family, figure.members) for figure in profiles] == [
        ("profile_mobilenetv2", "mobilenetv2", tuple(sizes)),
        ("profile_timm.resnet18", "timm:resnet18", ("timm:resnet18",)),
    ]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_names_of_files_are_distinct(name):
    for folder in (catalogue.TABLES, catalogue.FIGURES):
        names = [o.name for of in (None, "verdicts") for o in catalogue.outputs(folder, EXPERIMENTS[name], of)]
        assert len(names) == len(set(names))


def test_small_tables_come_first_and_profiles_last():
    figures = [figure.entry for figure in catalogue.outputs(catalogue.FIGURES, EXPERIMENTS["digits"])]
    assert figures[:3] == ["accuracy", "interference", "solu_gap"]
    assert set(figures[3:]) == {"profile", "directions", "spectra", "cross_talk", "tuning"}


def test_the_page_leaves_out_what_the_verdicts_show_themselves():
    shown = {o.name: o.on_page for o in catalogue.outputs(catalogue.TABLES, EXPERIMENTS["digits"], "verdicts")}
    assert shown == {"claims": False, "claim_readings": True}


def test_an_experiment_without_claims_has_no_table_of_claims():
    tables = {name: catalogue.tables(EXPERIMENTS[name], "verdicts") for name in ("digits", "demonet_sweeps")}
    assert tables == {"digits": ["claims", "claim_readings"], "demonet_sweeps": ["claim_readings"]}
    assert catalogue.tables(an_experiment(), "verdicts") == []


def test_a_study_has_verdicts_only_if_claims_are_judged_on_it():
    assert catalogue.tables("star", "verdicts") == ["claims", "claim_readings"]
    assert catalogue.tables("toy", "verdicts") == catalogue.figures("toy", "verdicts") == []
