"""The contents of results/ in the repository come from runs that were trained for long enough to be compared."""

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from lowparam.claims.base import Association
from lowparam.claims.contrasts import selected
from lowparam.claims.registry import load_registry
from lowparam.params import load

ROOT = Path(__file__).parents[2]
TABLES = sorted(ROOT.glob("results/*/tables/accuracy.csv"))
JUDGED = [path.parent for path in sorted(ROOT.glob("results/*/claims.csv")) if (path.parent / "runs.csv").exists()]
TUNED = [path.parent for path in sorted(ROOT.glob("results/*/tuning")) if (path.parent / "runs.csv").exists()]
PARAMS = load(ROOT / "params.yaml")


def failed_arms(runs: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Count the runs that failed of each architecture with each probe of which they are more than a tenth."""
    failed = (runs["status"] != "finished").groupby([runs["architecture"], runs["probe"]])
    return failed.sum()[failed.mean() > 0.1].to_dict()


def test_base_networks_of_100k_and_more_are_above_88_percent_on_fashion_mnist():
    """Two convolutions of that size reach 92 % (the data set's list of results), so less would be a faulty recipe."""
    path = ROOT / "results/fashion_mnist/runs.csv"
    if not path.exists():
        pytest.skip("no results in this clone")
    runs = pd.read_csv(path)
    large = runs[(runs["probe"] == "none") & (runs["parameters_total"] > 0.98 * 100_000)]
    assert len(large) == 6 * 3  # architectures, seeds
    assert (large["status"] == "finished").all()
    assert large["test_accuracy"].min() > 0.88


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parts[-3])
def test_means_and_intervals_of_the_table_are_those_of_the_runs(path):
    runs = pd.read_csv(path.parents[1] / "runs.csv")
    table = pd.read_csv(path)
    table = table[table["quantity"] == "test_accuracy"].merge(
        runs.groupby(["architecture", "probe", "budget"])["test_accuracy"].agg(["mean", "std", "size"]),
        on=["architecture", "probe", "budget"],
        suffixes=("", "_of_runs"),
    )
    assert len(table) > 0
    assert table["mean"].to_numpy() == pytest.approx(100 * table["mean_of_runs"].to_numpy(), rel=1e-5, nan_ok=True)
    half_width = 100 * table["std"] / table["size"] ** 0.5 * stats.t.ppf(0.975, table["size"] - 1)
    assert table["half_width"].to_numpy() == pytest.approx(half_width.to_numpy(), rel=1e-4, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("folder", JUDGED, ids=lambda folder: folder.name)
def test_no_verdict_rests_on_an_arm_that_did_not_train(folder):
    runs, judged, tests = pd.read_csv(folder / "runs.csv"), pd.read_csv(folder / "claims.csv"), load_registry().tests()
    if set(tests) - set(judged[["claim", "test"]].itertuples(index=False, name=None)):
        pytest.skip(f"judged before the claims changed: lowparam claims {folder.name}")
    failed = failed_arms(runs)
    for row in judged[judged["verdict"].isin(["supported", "contradicted", "inconclusive"])].itertuples():
        test = tests[row.claim, row.test]
        used = runs[selected(runs, test.arms())]
        arms = {arm for arm in failed if ((used["architecture"] == arm[0]) & (used["probe"] == arm[1])).any()}
        if isinstance(test, Association):  # it leaves them out, and says so
            arms = {arm for arm in arms if arm[0] not in row.reason and not leaves_out(test, arm[0])}
        assert not arms, (row.claim, row.test)


def leaves_out(test: Association, architecture: str) -> bool:
    return any(fnmatchcase(architecture, pattern) for pattern in [*getattr(test, "without", []), "*@*"])


@pytest.mark.parametrize("folder", TUNED, ids=lambda folder: folder.name)
def test_arms_that_did_not_train_are_changed_blocks_and_have_an_extended_search_that_the_table_shows(folder):
    """On digits a block as it is trains; what does not, with a probe or a part, is no matter of a short list."""
    if PARAMS.experiment(folder.name).data != "digits":
        pytest.skip("other data")
    shown = pd.read_csv(folder / "tables/tuning.csv")
    for architecture, probe in failed_arms(pd.read_csv(folder / "runs.csv")):
        assert probe != "none" or "+" in architecture
        choice = json.loads((folder / f"tuning/{architecture}-{probe}.json").read_text(encoding="utf-8"))
        tried = {trial["values"]["lr"] for trial in choice["trials"]}
        assert choice["at_edge"] == {} or len(choice["added"]["lr"]) == 2, "the search ended at the end of its list"
        rows = shown[(shown["architecture"] == architecture) & (shown["probe"] == probe)]
        assert set(rows["lr"].round(9)) == {round(lr, 9) for lr in tried} and rows["chosen"].any()


def test_most_blocks_represent_more_known_features_the_more_there_are_beyond_their_channels():
    """Superposition happens: sparse features are found beyond the fewest values that a network has of an image."""
    path = ROOT / "results/factors/runs.csv"
    if not path.exists():
        pytest.skip("no results in this clone")
    runs = pd.read_csv(path)
    runs[["block", "features"]] = runs["architecture"].str.extract(r"^(\w+)@n(\d+)_p0\.05$")
    smaller = runs[(runs["budget"] == "12k") & runs["block"].isin(PARAMS.defaults["architectures"])]
    found = smaller.assign(features=smaller["features"].astype(int)).pivot_table(
        ["features_found", "features_limit"], "features", "block"
    )
    rise = (found["features_found"].diff().iloc[1:] > 0).all()
    beyond = found["features_found"].iloc[-1] > found["features_limit"].iloc[-1]
    assert len(rise) == 6 and (rise & beyond).sum() >= 4, found


def test_no_claim_is_decided_by_a_measure_that_does_not_see_superposition():
    """Measures that do not follow known features (|rho| below 0.5) have tests that explain claims, and none decides."""
    path = ROOT / "results/factors/tables/calibration.csv"
    if not path.exists():
        pytest.skip("no results in this clone")
    table = pd.read_csv(path).set_index("measure")["reading"]
    sees = {"chi_stages", "chi_last", "position_similarity"}
    sees |= {"dimensionality_join", "log_ci_join", "capacity_used_join", "lift_join"}
    assert set(table.index[table == "sees it"]) == sees  # docs/science/interference.md lists them
    blind = set(table.index) - sees
    decided = {
        name: {getattr(test, "outcome", None), getattr(test, "measure", None)} & blind
        for name, test in load_registry().tests().items()
        if test.primary
    }
    assert {name: measures for name, measures in decided.items() if measures} == {}
