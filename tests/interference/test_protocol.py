"""What measures declare is what they do, and what summaries, tables and documentation show."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lowparam import page_tables, provenance, registry
from lowparam.errors import LowparamError
from lowparam.interference import measure_table, measures
from lowparam.interference.context import Context
from lowparam.interference.held_out import held_out
from lowparam.interference.profile import profile_run
from lowparam.interference.summary import columns, measure_columns, summary
from lowparam.params import Profile

ROOT = Path(__file__).parents[2]
ADDED = ["sparse_features", "filter_pattern", "class_geometry", "coding_rate", "block_linearity", "block_ablation"]
ALL = Profile(images=100, null_draws=10, measures=ADDED, sae_steps=100)
NEEDS = {"sums", "pooled", "own sums", "network", "logits"}
RECORDED = [
    *("dimensionality", "constructive_interference", "branch_products", "capacity_used", "stride"),
    *("class_selectivity", "position_similarity", "branch_independence", "gradient_conflict"),
    *("class_cross_talk", "channel_pairs"),
]
"""Measures that every recorded profile has, in the order of the rows of a site."""


def test_a_new_measure_makes_no_recorded_profile_stale():
    assert measures.names(Profile()) == RECORDED
    targets = provenance.of_measures(Profile())
    assert not any("sparse_features" in target for target in targets)
    assert any("sparse_features" in target for target in provenance.of_measures(ALL))


@pytest.mark.parametrize("name", measures.names())
def test_declarations_are_complete(name):
    declared = measures.declared(name)
    assert set(declared["NEEDS"]) <= NEEDS
    assert isinstance(declared["PLACE"], int)
    for about in declared["VALUES"].values():
        assert set(about) == {"means", "range", "null", "at"}
    for entry in declared.get("SUMMARY", {}).values():
        assert entry["value"] in declared["VALUES"]
        assert set(entry) <= {"value", "means", "kinds", "sites", "take", "over", "column", "place"}
    assert hasattr(measures.find(name), "Sums") == ("own sums" in declared["NEEDS"])


@pytest.mark.parametrize("architecture", ["demonet_star", "mobilenext"])
def test_a_measure_writes_the_values_and_reads_what_it_declares(architecture, digits, untrained):
    net, images, used = untrained(architecture, digits), held_out(digits, 100), set()

    class Watched(Context):
        def __getattribute__(self, name):
            needs = {"inputs": "sums", "outputs": "sums", "pooled": "pooled", "sums": "own sums"}
            used.add(needs.get(name, name))
            return super().__getattribute__(name)

    context = Watched(net, net.sites(), images, ALL)
    assert context.stage_ends and context.streams  # the pass is over, so what is used from here on is the measure's
    for name in measures.names(ALL):
        declared = measures.declared(name)
        used.clear()
        values = measures.find(name).measure(context)
        assert {value.measure for value in values} <= set(declared["VALUES"]), name
        assert used & {"sums", "pooled", "own sums"} <= set(declared["NEEDS"]), name
        assert ("net" in used) == bool({"network", "logits"} & set(declared["NEEDS"])), name


def test_rows_are_in_the_order_of_sites_and_places(digits, untrained):
    net = untrained("demonet_star", digits)
    profile = profile_run(net, digits, ALL)
    assert list(dict.fromkeys(profile["site"])) == list(net.sites())
    writes = {}
    for place, name in enumerate(measures.names(ALL)):
        for value in measures.declared(name)["VALUES"]:
            writes.setdefault(value, []).append(place)
    for _, rows in profile.groupby("site"):
        places = [min(writes[measure]) for measure in rows["measure"] if len(writes[measure]) == 1]
        assert places == sorted(places)


def test_columns_are_those_of_recorded_runs_in_their_order():
    runs = pd.read_csv(ROOT / "results/digits/runs.csv", nrows=1)
    recorded = list(runs.columns)
    recorded = recorded[recorded.index("test_loss") + 1 : recorded.index("folder")]
    assert measure_columns(runs.columns) == recorded
    assert [name for name, entry in columns().items() if entry["default"]] == recorded


def test_two_measures_may_not_declare_one_column(monkeypatch):
    declared = measures.declared
    monkeypatch.setattr(measures, "declared", lambda name: declared("stride" if name == "stride" else "capacity_used"))
    with pytest.raises(LowparamError, match=r"both \w+\.py and \w+\.py declare the column 'capacity_used"):
        columns()


def test_a_summary_has_an_added_measure_only_if_the_profile_has_it():
    rows = [("chi", "a.stream", "stream", 0.5), ("sae_agreement", "a.projection", "projection", 0.9)]
    profile = pd.DataFrame(rows, columns=["measure", "site", "kind", "value"])
    profile = profile.assign(n=1.0, null=0.0, null_sd=0.0, untrained=0.0)
    assert summary(profile)["sae_agreement"] == 0.9
    assert "sae_features" not in summary(profile)
    assert "sae_agreement" not in summary(profile[:1])
    assert summary(profile)["chi_last"] == 0.5


def test_the_summary_needs_no_torch():
    code = "import sys, lowparam.collect, lowparam.interference.summary; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "workflow")})


def test_tables_of_measures_in_the_documentation_are_up_to_date():
    text = (ROOT / measure_table.PAGE).read_text(encoding="utf-8")
    assert page_tables.fill(text, measure_table.tables()) == text, f"run `{page_tables.COMMAND}`"


def test_an_unknown_measure_is_one_line():
    with pytest.raises(LowparamError, match="did you mean 'sparse_features'"):
        measures.find("sparse_feature")
    with pytest.raises(ValueError, match="unknown measure 'sparse_feature'; did you mean 'sparse_features'"):
        Profile(measures=["sparse_feature"])
    assert "base" not in registry.entries(measures.FOLDER)
