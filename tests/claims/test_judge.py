import numpy as np
import pandas as pd
import pytest

from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED, SUPPORTED, Finding, verdict
from lowparam.claims.judge import COLUMNS, judge
from lowparam.claims.registry import load_registry
from synthetic import add, allowed, grid, noisy

ARCHITECTURES = ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a"]


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """Like the experiment digits, with V1 far ahead and V2 far behind."""
    rng = np.random.default_rng(0)
    frame = noisy(grid(ARCHITECTURES, ["none", "solu_s1"], seeds=5), rng, 0.003)
    frame = add(frame, 0.04, architecture=["mobilenetv1"])
    frame = add(frame, -0.05, probe=["solu_s1"])
    for column in (
        "r_projection",
        "chi_stages",
        "dimensionality_projection",
        "forced_projection",
        "chi_last",
        "train_accuracy",
    ):
        frame = noisy(frame, rng, 0.02, column)
    return frame


@pytest.fixture(scope="module")
def judged(runs) -> pd.DataFrame:
    return judge(load_registry(), "digits", runs).rows


def only(claim: str):
    """The registry with one claim, for speed."""
    return load_registry().only(claim)


def row(judged, claim, test):
    return judged[(judged["claim"] == claim) & (judged["test"] == test)].iloc[0]


def test_every_claim_has_a_row_with_its_experiment(judged):
    assert list(judged.columns) == COLUMNS
    assert set(judged["claim"]) == {f"C{number}" for number in range(1, 27)}
    assert (judged["experiment"] == "digits").all()


def test_a_true_effect_is_supported_and_its_opposite_contradicted(judged):
    assert row(judged, "C2", "total")["verdict"] == SUPPORTED
    assert row(judged, "C8", "solu_part")["verdict"] == CONTRADICTED


def test_what_has_no_runs_names_the_command(judged):
    commands = {("C7", "reading_b"): "scaling", ("C14", "formula"): "star", ("C1", "dose"): "dose"}
    for (claim, test), experiment in commands.items():
        found = row(judged, claim, test)
        assert found["verdict"] == NOT_TESTED and np.isnan(found["p"])
        assert found["command"] == f"snakemake {experiment}"


def test_a_claim_without_test_gives_its_reason(judged):
    found = judged[judged["claim"] == "C25"].iloc[0]
    assert found["verdict"] == NOT_TESTED and "speculation" in found["reason"]


def test_an_inconclusive_verdict_says_what_could_have_been_seen(judged):
    inconclusive = judged[(judged["verdict"] == INCONCLUSIVE) & judged["p"].notna()]
    assert len(inconclusive)
    assert inconclusive["smallest_effect"].gt(0).all()
    assert inconclusive["reason"].str.contains("4 times in 5").all()


def test_the_correction_never_makes_p_smaller(judged):
    tested = judged[judged["p"].notna()]
    assert (tested["p_holm"] >= tested["p"]).all()


@pytest.mark.parametrize(
    ("claim", "gone", "command"),
    [
        ("C8", {"architecture": "nodepth_a"}, "snakemake digits"),
        ("C5", {"architecture": "convnext"}, "snakemake digits"),
        ("C4", {"probe": "solu_s1"}, "snakemake digits"),
    ],
)
def test_deleting_the_runs_of_a_claim_leaves_it_not_tested_and_the_others_alone(runs, judged, claim, gone, command):
    ((column, value),) = gone.items()
    less = judge(load_registry(), "digits", runs[runs[column] != value]).rows
    primary = less[(less["claim"] == claim) & less["primary"].eq(True)].iloc[0]
    assert primary["verdict"] == NOT_TESTED
    assert value in primary["reason"] and primary["command"] == command
    needs = {
        (c.id, t.id)
        for c in load_registry().claims
        for t in c.tests
        if any(value in arm.get(column, []) or arm.get(column) == ["*"] for arm in t.arms())
    }
    for (_, before), (_, after) in zip(judged.iterrows(), less.iterrows(), strict=True):
        if (before["claim"], before["test"]) in needs:
            continue
        same = [c for c in COLUMNS if c not in ("p_holm", "reason")]
        assert before[same].equals(after[same]), (before["claim"], before["test"])


def test_a_claim_is_judged_on_each_experiment_by_itself(runs):
    worse = add(runs, -0.1, architecture=["mobilenetv1"])
    judged_on = {"digits": runs, "imagenet": worse}
    both = pd.concat(judge(only("C2"), name, frame).rows for name, frame in judged_on.items())
    words = {e: row(both[both["experiment"] == e], "C2", "total")["verdict"] for e in ("digits", "imagenet")}
    assert words == {"digits": SUPPORTED, "imagenet": CONTRADICTED}


def failing(runs, architecture, share, status):
    """Runs of which a share of one arm failed."""
    broken = runs.copy()
    arm = broken.index[broken["architecture"].eq(architecture) & broken["probe"].eq("none")]
    lost = arm[: round(share * len(arm))]
    broken.loc[lost, "status"] = status
    broken.loc[lost, ["train_accuracy", "test_accuracy"]] = np.nan if status == "diverged" else 0.1
    return broken


@pytest.mark.parametrize("status", ["diverged", "untrained"])
@pytest.mark.parametrize("architecture", ["mobilenetv1", "mobilenetv2"])  # on either side
@pytest.mark.parametrize(("share", "same"), [(0.1, True), (0.15, False), (0.5, False), (1.0, False)])
def test_an_arm_that_did_not_train_decides_nothing(runs, architecture, status, share, same):
    before = row(judge(only("C2"), "digits", runs).rows, "C2", "total_v2")
    found = row(judge(only("C2"), "digits", failing(runs, architecture, share, status)).rows, "C2", "total_v2")
    lost = round(20 * share)
    assert found[status] == lost and found["runs"] == 40
    if same and status == "diverged":
        assert found["verdict"] == before["verdict"] == SUPPORTED and f"{lost} of 40 runs diverged" in found["reason"]
    elif same:
        assert found["verdict"] != NOT_COMPARABLE and f"{lost} of 40 runs are untrained" in found["reason"]
    else:
        words = f"{architecture}: of 20 runs {lost} {'are untrained' if status == 'untrained' else 'diverged'}"
        assert found["verdict"] == NOT_COMPARABLE and found["reason"].startswith(f"{words}, more than a tenth.")
        assert np.isnan(found["p"]) and np.isnan(found["p_holm"])


def test_one_architecture_that_did_not_train_spoils_a_test_that_must_hold_against_each(runs):
    broken = failing(runs, "mobilenetv3", 0.2, "untrained")  # 4 of 40 runs of both, a tenth
    assert row(judge(only("C2"), "digits", broken).rows, "C2", "total")["verdict"] == NOT_COMPARABLE


def test_one_architecture_that_did_not_train_spoils_a_mean_over_several(runs):
    """ConvNeXt is a fifth of the arm of C4, so that an eighth of its runs would pass if all were counted together."""
    broken = runs.copy()
    arm = broken.index[broken["architecture"].eq("convnext") & broken["probe"].eq("solu_s1")]
    broken.loc[arm[:2], "status"] = "untrained"
    assert row(judge(only("C4"), "digits", broken).rows, "C4", "learned")["verdict"] != NOT_COMPARABLE
    broken.loc[arm[:3], "status"] = "untrained"
    found = row(judge(only("C4"), "digits", broken).rows, "C4", "learned")
    assert found["verdict"] == NOT_COMPARABLE
    assert found["reason"].startswith("convnext with solu_s1: of 20 runs 3 are untrained, more than a tenth.")


def test_a_test_that_cannot_be_made_counts_in_the_correction_like_one_without_runs(runs):
    broken = judge(only("C2"), "digits", failing(runs, "mobilenetv3", 1.0, "untrained")).rows
    gone = judge(only("C2"), "digits", runs[runs["architecture"] != "mobilenetv3"]).rows
    assert row(broken, "C2", "total_v2")["p_holm"] == row(gone, "C2", "total_v2")["p_holm"]


def test_an_association_with_networks_that_did_not_train_is_not_comparable(runs):
    broken = failing(failing(runs, "convnext", 1.0, "untrained"), "mobilenext", 1.0, "untrained")
    assert row(judge(only("C1"), "digits", broken).rows, "C1", "rank")["verdict"] == NOT_COMPARABLE


def test_an_association_leaves_out_a_network_that_did_not_train_and_names_it(runs):
    broken = runs.copy()
    arm = broken.index[broken["architecture"].eq("convnext") & broken["probe"].eq("none")]
    broken.loc[arm[:3], "status"] = "untrained"
    without = judge(only("C1"), "digits", runs[runs["architecture"] != "convnext"]).rows
    judged = judge(only("C1"), "digits", broken).rows
    for test in ("rank", "between", "within"):
        found = row(judged, "C1", test)
        assert "did not train, or lack r_projection or a budget: convnext." in found["reason"]
        assert found["estimate"] == row(without, "C1", test)["estimate"]


def test_variants_of_a_recipe_are_not_ranked_and_their_failures_are_not_those_of_an_association(runs):
    variants = runs.assign(architecture=runs["architecture"] + "@p1")
    broken = failing(variants, "mobilenetv1@p1", 1.0, "untrained")
    found = judge(only("C1"), "incoherence", broken).rows.set_index("test")
    assert (found.loc[["rank", "rank_crosstalk", "between", "within"], "verdict"] == NOT_TESTED).all()


@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_equally_good_arms_of_which_some_fail_give_few_verdicts(rate):
    """Untrained runs keep their numbers, and a few of them in each arm must not fake a difference."""
    wrong, simulations = 0, 100
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        runs = noisy(grid(architectures=["mobilenetv1", "mobilenetv2"]), rng)
        lost = rng.uniform(size=len(runs)) < rate
        runs.loc[lost, "status"] = "untrained"
        runs.loc[lost, "test_accuracy"] = 0.1
        found = row(judge(only("C2"), "digits", runs).rows, "C2", "total_v2")
        wrong += found["verdict"] in (SUPPORTED, CONTRADICTED)
    assert wrong / simulations <= allowed(simulations)


def test_networks_of_unequal_size_are_not_compared(runs):
    bigger = runs.copy()
    bigger.loc[bigger["architecture"] == "mobilenetv1", "parameters_total"] *= 1.2
    found = row(judge(only("C2"), "digits", bigger).rows, "C2", "total")
    assert found["verdict"] == NOT_TESTED and "20 % in parameters_total" in found["reason"]


def test_one_seed_has_no_spread(runs):
    found = row(judge(only("C2"), "digits", runs[runs["seed"] == 0]).rows, "C2", "total")
    assert found["verdict"] == NOT_TESTED and "one seed" in found["reason"]


def test_a_verdict_needs_the_corrected_p():
    found = Finding(1.0, 0.1, 1.9, p_for=0.01, p_against=0.99, unit="points", n=5)
    assert verdict(found, 0.04) == SUPPORTED
    assert verdict(found, 0.06) == INCONCLUSIVE
    assert verdict(found, np.nan) == INCONCLUSIVE
