"""What pages conclude in words is what the recorded results contain; their numbers are between markers."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lowparam.claims.statistics import mean_interval

ROOT = Path(__file__).parents[2]
STAR, INTERFERENCE = (ROOT / f"docs/science/{name}.md" for name in ("star", "interference"))
SWEEPS = ROOT / "results/demonet_sweeps"
SETTINGS_OF_THE_PAPER = {"3.4", "0.4", "0.9", "0.1", "0.005"}  # a section, the moons, and how they are trained
PUBLISHED = {"66.2", "66.3", "71.7", "71.8", "6.5", "4.8", "4.0"}  # in tables 2 and 3 of Ma et al. 2024
SAME = {"demonet_star_d20_w32", "demonet_star_noact_d12_w8", "demonet_star_noact_d12_w16"}
SUM_HIGHER = {"demonet_star_d12_w8", "demonet_star_noact_d12_w64"}

NO_VERDICT = {"not tested", "not comparable"}


def rates(experiment: Path) -> pd.Series:
    """Return the learning rate that was chosen for each architecture."""
    tried = pd.read_csv(experiment / "tables/tuning.csv")
    return tried[tried["chosen"]].set_index("architecture")["lr"]


def differences(experiment: Path, size: str = "") -> pd.DataFrame:
    """Return star minus sum with ``low`` and ``high``, a row for each network and a column level for each measure."""
    table = pd.read_csv(experiment / "tables/star_interference.csv").query("quantity == 'difference'")
    table = table[table["size"] != "all"]
    table = table.assign(
        network=table["size"].str.split().str[0],
        low=table["mean"] - table["half_width"],
        high=table["mean"] + table["half_width"],
    )
    return table.pivot(index="network", columns="measure", values=["mean", "low", "high"])


@pytest.fixture(scope="module")
def sweeps():
    return differences(SWEEPS)


@pytest.fixture(scope="module")
def means():
    """Means of every network of the sweeps over its seeds."""
    return pd.read_csv(SWEEPS / "runs.csv").groupby("architecture").mean(numeric_only=True)


def test_numbers_outside_of_the_markers_are_settings_or_published():
    text = re.sub(r"<!-- .*? -->\n.*?<!-- end of .*? -->", "", STAR.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|arXiv [\d.]+", "", text, flags=re.S)
    assert set(re.findall(r"\d+\.\d+", text)) <= SETTINGS_OF_THE_PAPER | PUBLISHED
    assert not re.findall(r"±|\d ?%", text)


def test_rates_of_star_and_sum_are_the_same_where_the_page_names_it(sweeps):
    chosen = rates(SWEEPS)
    star = chosen[sweeps.index]
    ratio = star / chosen[star.index.str.replace("star", "sum")].to_numpy()
    assert set(ratio.index[ratio == 1]) == SAME
    assert set(ratio.index[ratio < 1]) == SUM_HIGHER
    assert (ratio[ratio > 1] > 2).all() and (ratio[ratio > 1] > 5).mean() > 0.5
    tried = pd.read_csv(SWEEPS / "tables/tuning.csv")
    pairs = set(zip(tried["architecture"], tried["lr"], strict=True))
    assert sum((name.replace("star", "sum"), rate) not in pairs for name, rate in star.items()) > len(star) / 2
    best = tried.groupby("architecture")["mean"].transform("max")
    ties = tried[tried["mean"] == best].groupby("architecture").filter(lambda rows: len(rows) > 1)
    assert ties["architecture"].nunique() > 2
    assert (ties.groupby("architecture")["lr"].min() == chosen[sorted(set(ties["architecture"]))]).all()


def test_a_higher_rate_alone_changes_sum_networks(means):
    chosen, names = rates(SWEEPS), [f"demonet_sum_d{depth}_w32" for depth in (18, 20, 22)]
    assert chosen[names[1]] > max(chosen[names[0]], chosen[names[2]])
    relative = means.loc[names[1]] / means.loc[[names[0], names[2]]]
    assert relative["r_join"].between(1.8, 2.2).all() and (relative["chi_stages"] < 0.25).all()
    assert relative["r_projection"].between(0.9, 1.1).all()


def test_differences_that_do_not_follow_the_rates(sweeps, means):
    assert (sweeps[("low", "r_projection")] > 0).all() and (sweeps[("high", "log_ci_projection")] < 0).all()
    assert (sweeps[("mean", "dimensionality_join")] > 0).all()
    assert (means["r_join"] < 1).all() and (means["lift_join"] < 1).all()
    assert set(sweeps.index[sweeps[("mean", "lift_join")] <= 0]) == {"demonet_star_noact_d12_w64"}
    fit = means["train_loss"]
    assert (fit[sweeps.index] < fit[sweeps.index.str.replace("star", "sum")].to_numpy()).all()


def test_differences_that_follow_the_rates(sweeps):
    for _, network in sweeps.groupby(sweeps.index.str.contains("noact")):
        assert network[("mean", "chi_stages")].mean() < 0 < network[("mean", "r_join")].mean()
    assert (sweeps[("mean", "chi_stages")] > 0).any()
    same = sweeps.loc[sorted(SAME)]
    assert set(same.index[same[("high", "chi_stages")] < 0]) == {"demonet_star_noact_d12_w16"}
    assert not (sweeps.loc[sorted(SAME | SUM_HIGHER), ("low", "r_join")] > 0).any()


def test_quadratic_share_is_large_without_activations_and_varies_with_them(means):
    share = means["quadratic_share"].dropna()
    without = share.index.str.contains("noact")
    assert (share[without] > 0.7).all()
    assert share[~without].min() < 0.2 and share[~without].max() > 0.7


def test_known_features_are_learned_at_equal_rates_and_overlap_more_where_they_are_many():
    experiment = ROOT / "results/factors_short"
    found, chosen = differences(experiment), rates(experiment)
    features = [f"demonet_star@n{count}_p0.05" for count in (6, 24, 96)]
    assert list(found.index) == sorted(features)
    assert (chosen[features].to_numpy() == chosen[[name.replace("star", "sum") for name in features]].to_numpy()).all()
    assert (found[("high", "log_ci_projection")] < 0).all()
    assert (found.loc[features[:2], ("low", "r_projection")] > 0).all()
    assert found.loc[features[2], ("high", "r_projection")] < 0
    for measure in ("chi_stages", "r_join"):
        assert ((found[("low", measure)] < 0) & (found[("high", measure)] > 0)).all()


def test_in_the_common_skeleton_the_lower_rate_has_the_higher_r():
    experiment = ROOT / "results/demonet"
    chosen = rates(experiment)
    table = pd.read_csv(experiment / "tables/star_interference.csv").query("size == 'all'")
    found = table.pivot(index=["measure", "pair"], columns="quantity", values="mean")
    higher = found.loc["r_projection", "difference"] > 0
    assert higher.to_dict() == {"demonet_star": True, "demonet_star_noact": True, "starnet": False}
    for star, total in {"demonet_star": "demonet_sum", "demonet_star_noact": "demonet_sum_noact"}.items():
        assert chosen[star] < chosen[total]
        assert found.loc[("lift_join", star), "star"] > 1 > found.loc[("lift_join", star), "sum"]
    assert chosen["starnet"] > chosen["starnet_sum"]


def test_what_the_page_tells_of_accuracies():
    judged = pd.read_csv(SWEEPS / "claims.csv").set_index(["claim", "test"])
    assert judged.loc[("C18", "positive_w32"), "verdict"] == "supported"
    for test in (("C18", "depth_w32"), ("C22", "by_width")):
        assert judged.loc[test, "low"] < 0 < judged.loc[test, "high"]
    assert judged.loc[("C22", "by_width"), "estimate"] * judged.loc[("C22", "by_width"), "paper_value"] < 0
    changes = pd.read_csv(SWEEPS / "tables/star_activation.csv")
    runs = pd.read_csv(SWEEPS / "runs.csv")
    changes = changes[changes["quantity"].eq("difference") & changes["data"].eq("demonet_sweeps")]
    assert len(changes) and (changes["mean"].abs() < changes["half_width"]).all()
    gaps = pd.read_csv(SWEEPS / "tables/star_gap.csv").query("quantity == 'difference'").set_index("network")
    assert abs(gaps.loc["DemoNet, depth 20, width 32", "mean"]) < gaps.loc["DemoNet, depth 20, width 32", "half_width"]
    sums = runs[runs["architecture"].str.contains("sum")]["test_accuracy"].mean()
    assert abs(sums - pd.read_json(SWEEPS / "baseline.json")["test"]["accuracy"]) < 0.005


def test_training_concentrates_the_spectrum_at_every_width():
    table = pd.read_csv(SWEEPS / "bilinear.csv").groupby(["channels", "trained"])[["effective_rank", "share_4"]].mean()
    rank = table["effective_rank"].unstack()
    assert len(rank) == 7 and (rank[True] < rank[False]).all()
    assert (table["share_4"].unstack()[True] > 0.8).all()


def test_stacks_are_counted_up_to_the_widths_that_the_page_names():
    growth = pd.read_csv(ROOT / "results/star/growth.csv")
    assert (growth["rank"] == growth["closed_form"]).all()
    largest = growth.groupby(["layers", "bias"])["channels"].max()
    assert largest[[2, 3]].to_dict() == {(2, True): 10, (3, True): 5, (2, False): 11, (3, False): 6}
    assert 1e7 < growth[growth["layers"] == 3]["float_gap"].min() < 1e8
    assert pd.read_csv(ROOT / "results/star/dimension.csv")["float_gap"].min() > 1e12


def test_cross_talk_at_the_last_block_has_the_range_that_the_page_names():
    low, high = map(float, re.search(r"is between (0\.\d+) and (0\.\d+)", INTERFERENCE.read_text("utf-8")).groups())
    runs = pd.read_csv(ROOT / "results/digits/runs.csv").query("probe == 'none'")
    found = runs.groupby("architecture")["chi_last"].mean()
    assert (round(found.min(), 4), round(found.max(), 4)) == (low, high)


@pytest.fixture(scope="module")
def judged():
    """Tests of every recorded experiment that have a verdict."""
    tables = pd.concat([pd.read_csv(path) for path in sorted((ROOT / "results").glob("*/claims.csv"))])
    return tables[~tables["verdict"].isin(NO_VERDICT)]


@pytest.mark.parametrize(
    ("claim", "test", "verdict"),
    [
        ("C13", "star_over_sum", "supported"),
        ("C14", "formula", "supported"),
        ("C15", "growth", "supported"),
        ("C20", "kept", "supported"),
        ("C16", "controlled", "inconclusive"),
        ("C2", "total", "inconclusive"),
        ("C1", "penalty", "inconclusive"),
        ("C3", "penalty_gap", "inconclusive"),
        ("C9", "narrower_crosstalk", "supported"),
        ("C8", "solu_part", "contradicted"),
        ("C4", "known_features", "contradicted"),
        ("C6", "known_features", "supported"),
    ],
)
def test_findings_of_the_paper_are_those_of_the_verdicts(judged, claim, test, verdict):
    found = judged[judged["claim"].eq(claim) & judged["test"].eq(test)]
    assert set(found["verdict"]) == {verdict}


def test_findings_of_the_paper_on_solu_and_on_changes_of_the_bottleneck(judged):
    named = judged.set_index(["claim", "test", "experiment"]).sort_index()["verdict"]
    for test in ("crosstalk", "accuracy"):
        assert named["C4", test].to_dict() == {"solu": "contradicted", "solu_long": "inconclusive"}
    assert named["C6", "some_element_crosstalk", "same_rate"] == "inconclusive"


def test_the_same_runs_on_two_machines_agree_within_their_intervals():
    key = ["architecture", "budget", "seed"]
    here, there = (pd.read_csv(ROOT / f"results/{name}/runs.csv").set_index(key) for name in ("cifar10", "cifar10_25k"))
    both = pd.concat({"here": here["test_accuracy"], "there": there["test_accuracy"]}, axis=1, join="inner")
    assert len(both) == 18 and (both["here"] != both["there"]).all()
    for _, group in both.groupby("architecture"):
        half_widths = [mean_interval(group[column]).half_width for column in both]
        assert abs(group["here"].mean() - group["there"].mean()) < min(half_widths)


def differences_of(experiment: str, arm: dict[str, str], other: dict[str, str], outcome: str) -> pd.Series:
    """Return the difference of two arms for each seed, averaged over budgets."""
    runs = pd.read_csv(ROOT / f"results/{experiment}/runs.csv")
    both = [runs.loc[(runs[list(each)] == pd.Series(each)).all(axis=1)] for each in (arm, other)]
    first, second = (each.groupby("seed")[outcome].mean() for each in both)
    return first - second


def test_what_pages_tell_of_solu_in_each_network():
    """Its shrinking alone raises cross-talk too, SoLU lowers it in MobileNetV1, most runs are below a linear model."""
    names = ("mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext")
    change = {
        probe: [
            differences_of(
                "solu", {"architecture": name, "probe": probe}, {"architecture": name, "probe": "none"}, "chi_stages"
            ).mean()
            for name in names
        ]
        for probe in ("solu_s1", "scale_s1")
    }
    assert change["solu_s1"][0] < 0 < min(change["solu_s1"][1:])
    assert sum(change["scale_s1"]) > sum(change["solu_s1"])
    runs = pd.read_csv(ROOT / "results/solu/runs.csv").query("probe == 'solu_s1' and architecture in @names")
    linear = pd.read_json(ROOT / "results/solu/baseline.json")["test"]["accuracy"]
    assert (runs["test_accuracy"] < linear).mean() > 0.5 and (runs["status"] == "finished").all()


def test_sums_keep_their_accuracy_without_activations_on_digits_as_well():
    lost = differences_of(
        "demonet", {"architecture": "demonet_sum_noact"}, {"architecture": "demonet_sum"}, "test_accuracy"
    )
    assert mean_interval(lost).low < 0 < mean_interval(lost).high and mean_interval(lost).low > -0.01


def test_the_penalty_on_overlap_raises_r_and_lowers_cross_talk_in_no_network():
    table = pd.read_csv(ROOT / "results/incoherence/tables/penalties.csv").set_index(["quantity", "architecture"])
    raised = table.loc["r_projection"]
    assert (raised.groupby("architecture")["p_holm"].min() < 0.05).all() and (raised["mean"] > 0).all()
    for quantity in ("chi_stages", "test_accuracy"):
        assert (table.loc[quantity, "p_holm"] > 0.05).all()


def test_what_the_page_of_results_tells_of_photographs():
    by_size = ("cifar10", "cifar10_25k", "cifar10_100k")
    judged = {
        name: pd.read_csv(ROOT / f"results/{name}/claims.csv").set_index(["claim", "test"])
        for name in (*by_size, "cifar10_incoherence", "cifar10_ablation", "cifar10_open")
    }
    totals = [judged[name].loc[("C2", "total")] for name in by_size]
    assert all(each["estimate"] < 0 and each["verdict"] == "inconclusive" for each in totals)
    assert totals[2]["high"] < 0 < min(each["high"] for each in totals[:2])
    for name in by_size:
        assert judged[name].loc[("C3", "learned"), "high"] < 0 and judged[name].loc[("C9", "above_null"), "high"] < 0
    penalties = pd.read_csv(ROOT / "results/cifar10_incoherence/tables/penalties.csv").set_index("quantity")
    assert (penalties.loc["r_projection", "mean"] > 0).all() and (penalties.loc["chi_stages", "p_holm"] > 0.05).all()
    for claim, test in (("C1", "penalty"), ("C3", "penalty_gap")):
        assert judged["cifar10_incoherence"].loc[(claim, test), "verdict"] == "inconclusive"
    assert judged["cifar10_ablation"].loc[("C6", "some_element_crosstalk"), "verdict"] == "inconclusive"
    opened = judged["cifar10_open"]["verdict"]
    assert (opened["C11", "expansion"], opened["C12", "star_block"]) == ("contradicted", "inconclusive")
    changed = pd.read_csv(ROOT / "results/cifar10_ablation/runs.csv").groupby("architecture")["chi_stages"].mean()
    assert changed.filter(regex=r"mobilenetv2(\+|_)").min() > changed["mobilenetv2"]


def test_all_images_raise_accuracies_of_100k_most_in_nodepth():
    fewer, all_images = (pd.read_csv(ROOT / f"results/{name}/runs.csv") for name in ("cifar10", "cifar10_100k"))
    means = [
        each[each["budget"] == "100k"].groupby("architecture")["test_accuracy"].mean() for each in (fewer, all_images)
    ]
    gain = means[1] - means[0]
    assert gain.min() > 0.01 and gain.idxmax() == "nodepth_a"
    assert means[1].max() > 0.8 and means[1].min() > 0.7
