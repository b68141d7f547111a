"""Every kind of test against simulated experiments with a known effect, none, and one at the margin."""

from functools import partial
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import spearmanr
from statsmodels.regression.mixed_linear_model import MixedLM

from lowparam.claims.associations import resampled
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, SUPPORTED, NotTested, verdict
from lowparam.claims.kinds.crossing import Crossing, fieller
from lowparam.claims.kinds.dose import Dose
from lowparam.claims.kinds.equivalence import Equivalence
from lowparam.claims.kinds.exponent import Exponent
from lowparam.claims.kinds.interaction import Interaction
from lowparam.claims.kinds.joint import Joint
from lowparam.claims.kinds.paired import Paired
from lowparam.claims.kinds.rank import Rank
from lowparam.claims.kinds.slopes import Slopes
from synthetic import ARCHITECTURES, BUDGETS, SIMULATIONS, add, allowed, definite, grid, noisy, share, verdicts

COMMON = {"id": "it", "about": "what it is about", "outcome": "test_accuracy", "experiment": "digits"}
V1, V2, V3 = ({"architecture": [name]} for name in ("mobilenetv1", "mobilenetv2", "mobilenetv3"))


def paired(**options) -> Paired:
    return Paired(kind="paired", plus=V1, minus=V2, **{**COMMON, "direction": "greater", **options})


class TestPaired:
    runs = grid(["mobilenetv1", "mobilenetv2", "mobilenetv3"])

    def make(self, effect):
        return lambda rng: add(noisy(self.runs, rng), effect, architecture=["mobilenetv1"])

    def test_a_large_effect_is_supported(self):
        assert share(verdicts(paired(), self.make(0.015)), SUPPORTED) > 0.9

    def test_no_effect_gives_few_verdicts(self):
        assert definite(verdicts(paired(), self.make(0.0))) <= allowed()

    def test_an_effect_at_the_margin_gives_few_verdicts(self):
        assert definite(verdicts(paired(margin=2.0), self.make(0.02))) <= allowed()

    def test_an_effect_below_the_margin_contradicts(self):
        assert share(verdicts(paired(margin=2.0), self.make(0.005)), CONTRADICTED) > 0.9

    def test_the_opposite_effect_contradicts(self):
        assert share(verdicts(paired(), self.make(-0.015), 50), CONTRADICTED) > 0.9

    def test_the_interval_covers_the_truth(self):
        found = [paired().find(self.make(0.01)(np.random.default_rng(seed))) for seed in range(SIMULATIONS)]
        assert 1 - np.mean([f.low <= 1.0 <= f.high for f in found]) <= allowed()

    def test_one_failing_rival_is_enough_to_withhold_support(self):
        test = Paired(
            kind="paired",
            plus=V1,
            minus={"architecture": ["mobilenetv2", "mobilenetv3"]},
            every=True,
            direction="greater",
            **COMMON,
        )
        counts = verdicts(test, lambda rng: add(noisy(self.runs, rng), -0.05, architecture=["mobilenetv2"]))
        assert share(counts, SUPPORTED) <= allowed()  # V1 equals V3, however far it is ahead of V2
        assert definite(counts) <= allowed()

    some = Paired(
        kind="paired",
        plus={"architecture": ["mobilenetv2", "mobilenetv3"]},
        minus=V1,
        some=True,
        direction="greater",
        **COMMON,
    )

    @pytest.mark.parametrize(
        ("effects", "expected"),
        [((0.02, -0.02), SUPPORTED), ((-0.02, 0.02), SUPPORTED), ((-0.02, -0.02), CONTRADICTED)],
    )
    def test_one_architecture_is_enough_where_the_claim_is_about_some(self, effects, expected):
        def make(rng):
            runs = add(noisy(self.runs, rng), effects[0], architecture=["mobilenetv2"])
            return add(runs, effects[1], architecture=["mobilenetv3"])

        assert share(verdicts(self.some, make, 30), expected) > 0.9
        assert self.some.find(make(np.random.default_rng(0))).estimate == pytest.approx(100 * max(effects), abs=1)

    def test_several_chances_give_few_verdicts_without_an_effect(self):
        assert definite(verdicts(self.some, self.make(0.0))) <= allowed()

    def test_a_diverged_run_does_not_shift_the_estimate(self):
        level = dict(zip(BUDGETS, (0.5, 0.7, 0.8, 0.9), strict=True))
        steep = self.runs.assign(test_accuracy=self.runs["budget"].map(level))
        steep = add(steep, 0.1, architecture=["mobilenetv1"], budget=["10k"])
        steep = noisy(steep, np.random.default_rng(0), sd=1e-6)
        broken = steep.copy()
        broken.loc[(broken["budget"] == "10k") & (broken["seed"] == 0), ["status", "test_accuracy"]] = (
            "diverged",
            np.nan,
        )
        assert paired().find(broken).estimate == pytest.approx(paired().find(steep).estimate, abs=1e-3)


class TestInteraction:
    runs = grid(["mobilenetv1", "mobilenetv2"], ["none", "solu_s1"])
    test = Interaction(
        kind="interaction",
        first=[{"plus": {**V1, "probe": ["solu_s1"]}, "minus": V1}],
        second=[{"plus": {**V2, "probe": ["solu_s1"]}, "minus": V2}],
        direction="greater",
        **COMMON,
    )

    def make(self, effect):
        def one(rng):
            runs = add(noisy(self.runs, rng), -0.1, probe=["solu_s1"])  # main effects of both factors
            runs = add(runs, 0.05, architecture=["mobilenetv1"])
            return add(runs, effect, architecture=["mobilenetv1"], probe=["solu_s1"])

        return one

    def test_an_interaction_is_supported(self):
        assert share(verdicts(self.test, self.make(0.02)), SUPPORTED) > 0.85

    def test_main_effects_alone_give_few_verdicts(self):
        assert definite(verdicts(self.test, self.make(0.0))) <= allowed()

    def test_an_interaction_at_the_margin_gives_few_verdicts(self):
        test = self.test.model_copy(update={"margin": 3.0})
        assert definite(verdicts(test, self.make(0.03))) <= allowed()

    def test_three_factors_are_told_from_two(self):
        """Layer norm saves a point in both blocks: an interaction of two factors, none of three."""
        names = ["convnext", "convnext_bn", "v2", "v2_ln"]
        arms = {name: {"architecture": [name]} for name in names}
        change = {n: {"plus": {**arms[n], "probe": ["solu_s1"]}, "minus": arms[n]} for n in names}
        test = Interaction(
            kind="interaction",
            first=[change["convnext"], change["v2"]],
            second=[change["convnext_bn"], change["v2_ln"]],
            direction="greater",
            **COMMON,
        )

        def make(three):
            def one(rng):
                runs = add(noisy(grid(names, ["none", "solu_s1"]), rng, 0.003), -0.05, probe=["solu_s1"])
                runs = add(runs, 0.02, architecture=["convnext", "v2_ln"], probe=["solu_s1"])
                return add(runs, three, architecture=["convnext"], probe=["solu_s1"])

            return one

        assert definite(verdicts(test, make(0.0))) <= allowed()
        assert share(verdicts(test, make(0.03), 50), SUPPORTED) > 0.9

    def test_a_gap_can_be_compared_between_two_budgets(self):
        at = [[{"plus": {**V1, "budget": [size]}, "minus": {**V2, "budget": [size]}}] for size in ("10k", "100k")]
        test = self.test.model_validate(self.test.model_dump() | {"first": at[0], "second": at[1]})

        def make(smaller):
            """V1 is ahead at all sizes, and by `smaller` more at the smallest."""
            return lambda rng: add(
                add(noisy(self.runs, rng), 0.05, architecture=["mobilenetv1"]),
                smaller,
                architecture=["mobilenetv1"],
                budget=["10k"],
            )

        assert test.find(make(0.02)(np.random.default_rng(0))).estimate == pytest.approx(2, abs=1)
        assert share(verdicts(test, make(0.03), 50), SUPPORTED) > 0.9
        assert share(verdicts(test, make(-0.03), 50), CONTRADICTED) > 0.9
        assert definite(verdicts(test, make(0.0))) <= allowed()

    def test_a_seed_that_diverged_at_one_budget_is_left_out_of_a_difference_between_two(self):
        at = [[{"plus": {**V1, "budget": [size]}, "minus": {**V2, "budget": [size]}}] for size in ("10k", "100k")]
        test = self.test.model_validate(self.test.model_dump() | {"first": at[0], "second": at[1]})
        runs = noisy(self.runs, np.random.default_rng(0))
        runs.loc[runs["budget"].eq("10k") & runs["seed"].eq(0), "status"] = "diverged"
        assert test.find(runs).n == 4


class TestJoint:
    runs = grid(["mobilenetv1", "mobilenetv2"])
    arms = MappingProxyType({"kind": "paired", "plus": V1, "minus": V2, "direction": "greater"})
    test = Joint(kind="joint", parts={"better": dict(arms), "apart": {**arms, "outcome": "r_projection"}}, **COMMON)

    def make(self, better, apart):
        """V1 is more accurate and has a higher r by so much."""

        def one(rng):
            runs = add(noisy(self.runs, rng), better, architecture=["mobilenetv1"])
            return add(noisy(runs, rng, 0.02, "r_projection"), apart, "r_projection", architecture=["mobilenetv1"])

        return one

    def test_a_part_has_the_outcome_of_the_whole_or_its_own(self):
        assert [part.outcome for part in self.test.parts.values()] == ["test_accuracy", "r_projection"]
        assert self.test.arms() == [V1, V2, V1, V2]

    def test_both_parts_together_are_supported(self):
        assert share(verdicts(self.test, self.make(0.02, 0.1)), SUPPORTED) > 0.9

    @pytest.mark.parametrize("effects", [(0.0, 0.1), (0.02, 0.0), (0.0, 0.0)])
    def test_one_part_that_fails_is_enough_to_withhold_support(self, effects):
        assert definite(verdicts(self.test, self.make(*effects))) <= allowed()

    @pytest.mark.parametrize("effects", [(-0.02, 0.1), (0.02, -0.1), (-0.02, -0.1)])
    def test_one_part_the_other_way_round_contradicts(self, effects):
        assert share(verdicts(self.test, self.make(*effects), 50), CONTRADICTED) > 0.9

    def test_a_part_that_is_not_named_cannot_contradict(self):
        test = self.test.model_copy(update={"contradicts": ["better"]})
        assert definite(verdicts(test, self.make(0.02, -0.1), 50)) == 0
        assert share(verdicts(test, self.make(-0.02, 0.1), 50), CONTRADICTED) > 0.9

    def test_the_estimate_is_that_of_the_part_that_decides(self):
        weak = self.test.find(self.make(0.02, 0.03)(np.random.default_rng(0)))
        assert weak.unit == "r" and "Shown is the weakest, apart." in weak.note and "better +" in weak.note
        against = self.test.find(self.make(-0.05, 0.0)(np.random.default_rng(0)))
        assert against.unit == "points" and against.estimate == pytest.approx(-5, abs=1)
        assert "Shown is the one most against the claim, better." in against.note

    def test_what_contradicts_must_be_a_part(self):
        with pytest.raises(ValueError, match="contradicts names 'worse', which is none of parts: better, apart"):
            Joint.model_validate(self.test.model_dump() | {"contradicts": ["worse"]})


class TestEquivalence:
    runs = grid(["mobilenetv1", "mobilenetv2"])
    test = Equivalence(kind="equivalence", plus=V1, minus=V2, margin=1.0, **COMMON)

    def make(self, effect):
        return lambda rng: add(noisy(self.runs, rng, 0.003), effect, architecture=["mobilenetv1"])

    def test_no_difference_is_equal(self):
        assert share(verdicts(self.test, self.make(0.0)), SUPPORTED) > 0.9

    def test_a_large_difference_is_not(self):
        assert share(verdicts(self.test, self.make(0.025)), CONTRADICTED) > 0.9

    def test_a_difference_at_the_margin_gives_few_verdicts(self):
        assert definite(verdicts(self.test, self.make(0.01))) <= allowed()
        assert definite(verdicts(self.test, self.make(-0.01))) <= allowed()

    def test_noise_is_not_taken_for_equality(self):
        counts = verdicts(self.test, lambda rng: noisy(self.runs, rng, 0.05), 50)
        assert share(counts, SUPPORTED) <= allowed(50)


class TestExponent:
    runs = grid(["nodepth_a", "mobilenetv1"])
    test = Exponent(
        kind="exponent",
        plus={"architecture": ["nodepth_a"]},
        minus={"architecture": ["mobilenetv1"]},
        direction="greater",
        **{**COMMON, "outcome": "test_error"},
    )

    def make(self, difference):
        def one(rng):
            alpha = 0.4 + difference * (self.runs["architecture"] == "nodepth_a")
            error = 0.2 * (self.runs["parameters_total"] / 10_000) ** -alpha
            return self.runs.assign(test_accuracy=1 - error * np.exp(rng.normal(0, 0.05, len(self.runs))))

        return one

    def test_a_steeper_curve_is_supported(self):
        assert share(verdicts(self.test, self.make(0.15)), SUPPORTED) > 0.9

    def test_parallel_curves_give_few_verdicts(self):
        assert definite(verdicts(self.test, self.make(0.0))) <= allowed()

    def test_a_difference_at_the_margin_gives_few_verdicts(self):
        test = self.test.model_copy(update={"margin": -0.05})
        assert definite(verdicts(test, self.make(-0.05))) <= allowed()

    def test_the_exponent_is_recovered(self):
        alone = self.test.model_copy(update={"minus": None})
        exact = self.runs.assign(test_accuracy=1 - 0.2 * (self.runs["parameters_total"] / 10_000) ** -0.4)
        assert alone.find(noisy(exact, np.random.default_rng(0), 1e-9)).estimate == pytest.approx(0.4, abs=1e-4)

    def test_an_error_of_zero_is_no_failure(self):
        exact = self.runs.assign(test_accuracy=1 - 0.2 * (self.runs["parameters_total"] / 10_000) ** -0.4)
        exact.loc[(exact["budget"] == "100k") & (exact["seed"] == 0), "test_accuracy"] = 1.0
        assert np.isfinite(self.test.find(exact).estimate)


class TestCrossing:
    runs = grid(["mobilenetv1", "mobilenetv2"])
    test = Crossing(kind="crossing", plus=V1, minus=V2, **COMMON)

    def make(self, lead, at=None):
        """V1 leads by `lead` at 10k and loses it in a straight line until `at`; never, if that is None."""

        def one(rng):
            x = np.log(self.runs["parameters_total"] / 10_000)
            advantage = lead * (1 - x / np.log(at / 10_000)) if at else lead
            v1 = self.runs["architecture"] == "mobilenetv1"
            return noisy(self.runs.assign(test_accuracy=0.8 + 0.03 * x + v1 * advantage), rng, 0.003)

        return one

    def test_a_crossing_is_supported(self):
        assert share(verdicts(self.test, self.make(0.03, 40_000)), SUPPORTED) > 0.9

    def test_equal_curves_give_few_verdicts(self):
        assert definite(verdicts(self.test, self.make(0.0))) <= allowed()

    def test_a_lead_that_lasts_is_no_crossing(self):
        assert share(verdicts(self.test, self.make(0.03)), SUPPORTED) <= allowed()

    def test_a_lead_of_zero_at_the_start_gives_few_verdicts(self):
        def make(rng):
            x = np.log(self.runs["parameters_total"] / 10_000)
            v1 = self.runs["architecture"] == "mobilenetv1"
            return noisy(self.runs.assign(test_accuracy=0.8 + 0.03 * x - v1 * 0.02 * x), rng, 0.003)

        assert definite(verdicts(self.test, make)) <= allowed()

    def test_a_curve_behind_from_the_start_contradicts(self):
        assert share(verdicts(self.test, self.make(-0.03), 50), CONTRADICTED) > 0.9

    def test_the_interval_covers_the_crossing_point(self):
        found = [self.test.find(self.make(0.03, 40_000)(np.random.default_rng(s))) for s in range(SIMULATIONS)]
        assert 1 - np.mean([f.low <= 40_000 <= f.high for f in found]) <= allowed()
        assert np.median([f.estimate for f in found]) == pytest.approx(40_000, rel=0.05)

    def test_matched_body_moves_the_crossing(self):
        """With half of V2 outside the body, the same runs cross elsewhere."""
        runs = self.make(0.03, 40_000)(np.random.default_rng(0))
        v2 = runs["architecture"] == "mobilenetv2"
        runs["parameters_body"] = np.where(v2, 0.5, 0.9) * runs["parameters_total"]
        by_body = self.test.model_copy(update={"size": "parameters_body"}).find(runs)
        assert by_body.estimate < 0.9 * self.test.find(runs).estimate

    def test_fieller_is_open_where_the_slope_is_unclear(self):
        rng = np.random.default_rng(0)
        assert fieller(rng.normal(1, 1, 5), rng.normal(0, 1, 5)) == (-np.inf, np.inf)


class TestDose:
    words = MappingProxyType({"p0": 0.0, "p1": 1.0, "p2": 2.0})
    doses = MappingProxyType({"v2_e2": 2.0, "v2_e4": 4.0, "v2_e6": 6.0})
    runs = grid(list(doses))
    test = Dose(
        kind="dose",
        plus={"architecture": ["{dose}"]},
        doses=dict(doses),
        direction="less",
        moved="r_projection",
        moved_direction="less",
        **COMMON,
    )

    def make(self, slope, moved=-0.05):
        def one(rng):
            dose = self.runs["architecture"].map(dict(self.doses))
            runs = noisy(self.runs, rng)
            runs["r_projection"] = 1 + moved * dose + rng.normal(0, 0.02, len(runs))
            return runs.assign(test_accuracy=runs["test_accuracy"] + slope * dose)

        return one

    def test_a_dose_that_works_is_supported(self):
        assert share(verdicts(self.test, self.make(-0.005)), SUPPORTED) > 0.9

    def test_no_response_gives_few_verdicts(self):
        assert definite(verdicts(self.test, self.make(0.0))) <= allowed()

    def test_a_response_at_the_margin_gives_few_verdicts(self):
        test = self.test.model_copy(update={"margin": 0.5})
        assert definite(verdicts(test, self.make(-0.005))) <= allowed()

    def test_a_dose_that_does_not_move_the_measure_says_nothing(self):
        counts = verdicts(self.test, self.make(-0.01, moved=0.0))
        assert definite(counts) <= allowed()

    def test_what_a_dose_must_move_is_that_of_the_arm_and_not_of_its_control(self):
        """A dose that raises r in both as much moves it, although the difference stays the same."""
        variants = [f"{name}@{word}" for name in ("v1", "v2") for word in ("p0", "p1", "p2")]
        runs = noisy(grid(variants), np.random.default_rng(0), 0.002)
        dose = runs["architecture"].str[-1].astype(int)
        runs["r_projection"] = 0.5 + 0.1 * dose + np.random.default_rng(1).normal(0, 0.01, len(runs))
        runs["test_accuracy"] += 0.02 * dose * runs["architecture"].str.startswith("v2")
        test = Dose(
            kind="dose",
            plus={"architecture": ["v2@{dose}"]},
            minus={"architecture": ["v1@{dose}"]},
            doses={"p0": 0.0, "p1": 1.0, "p2": 2.0},
            moved="r_projection",
            direction="greater",
            **COMMON,
        )
        found = test.find(runs)
        assert verdict(found, found.p) == SUPPORTED and "moved r_projection by +0.10" in found.note

    def test_a_dose_has_to_move_each_network_and_not_only_their_mean(self):
        """The case of `guidance`: one network of two moves far, both lose accuracy."""
        runs = noisy(
            grid([f"{name}@{word}" for name in ("v1", "v2") for word in self.words]), np.random.default_rng(0), 0.002
        )
        dose, moves = runs["architecture"].str[-1].astype(int), runs["architecture"].str.startswith("v2")
        runs["r_projection"] = 0.5 + 0.2 * dose * moves + np.random.default_rng(1).normal(0, 0.01, len(runs))
        runs["test_accuracy"] -= 0.02 * dose
        arms = {"architecture": ["v1@{dose}", "v2@{dose}"]}
        test = Dose(kind="dose", plus=arms, doses=dict(self.words), moved="r_projection", direction="greater", **COMMON)
        found = test.find(runs)
        assert verdict(found, found.p) == INCONCLUSIVE and "for v1, where it is clear least" in found.note
        runs["r_projection"] += 0.2 * dose * ~moves
        found = test.find(runs)
        assert verdict(found, found.p) == CONTRADICTED

    def test_size_can_be_the_dose(self):
        test = Dose(kind="dose", plus=V1, minus=V2, direction="less", **COMMON)
        runs = grid(["mobilenetv1", "mobilenetv2"])
        doublings = np.log2(runs["parameters_total"] / 10_000)
        runs["test_accuracy"] += (runs["architecture"] == "mobilenetv1") * (0.05 - 0.01 * doublings)
        found = test.find(noisy(runs, np.random.default_rng(0), 1e-9))
        assert found.estimate == pytest.approx(-1.0, abs=1e-4)
        assert found.unit == "points per doubling"


def associated(rng, between=0.0, within=0.0, family_sd=1.0, seeds=4, architectures=ARCHITECTURES):
    """Runs in which r and logit accuracy go together between architectures and within configurations as told."""
    runs = grid(architectures, seeds=seeds)
    place = runs["architecture"].map(architectures.index).to_numpy()
    centre = rng.normal(0, family_sd, len(architectures))[place]
    spread = rng.normal(0, 0.3, len(runs))
    logits = 2 + 0.2 * np.log2(runs["parameters_total"] / 10_000) + rng.normal(0, 0.5, len(architectures))[place]
    logits += between * centre + within * spread + rng.normal(0, 0.1, len(runs))
    return runs.assign(r_projection=centre + spread, test_accuracy=expit(logits))


class TestRank:
    test = Rank(kind="rank", measure="r_projection", direction="greater", **COMMON)

    @pytest.fixture(autouse=True)
    def few_draws(self, monkeypatch):
        """The verdict does not depend on the bootstrap, which takes longer than all the rest."""
        monkeypatch.setattr("lowparam.claims.kinds.rank.resampled", partial(resampled, draws=20))

    def test_an_association_is_supported(self):
        assert share(verdicts(self.test, lambda rng: associated(rng, between=2.0)), SUPPORTED) > 0.7

    def test_no_association_gives_few_verdicts(self):
        assert definite(verdicts(self.test, associated)) <= allowed()

    def test_networks_of_unequal_size_are_not_ranked(self):
        runs = associated(np.random.default_rng(0))
        runs.loc[runs["architecture"] == "convnext", "parameters_total"] *= 2
        with pytest.raises(NotTested, match="differ in size"):
            self.test.find(runs)

    def test_variants_of_an_architecture_are_no_units(self):
        runs = associated(np.random.default_rng(0), architectures=[*ARCHITECTURES, "ablation_a", "ablation_b"])
        test = self.test.model_copy(update={"without": ["ablation_*"]})
        assert (self.test.find(runs).n, test.find(runs).n) == (9, 7)

    def test_a_measure_without_spread_is_not_tested(self):
        with pytest.raises(NotTested, match="is the same"):
            self.test.find(noisy(grid(), np.random.default_rng(0)))

    def test_the_opposite_association_contradicts(self):
        assert share(verdicts(self.test, lambda rng: associated(rng, between=-2.0), 50), CONTRADICTED) > 0.6

    def test_pooled_seeds_fake_significance_and_this_test_does_not(self):
        """Runs of one configuration are alike, so counting each as a point makes chance look certain."""
        pooled, ours = [], []
        for seed in range(SIMULATIONS):
            runs = associated(np.random.default_rng(seed), architectures=ARCHITECTURES)
            pooled.append(spearmanr(runs["r_projection"], runs["test_accuracy"]).pvalue < 0.05)
            found = self.test.find(runs)
            ours.append(verdict(found, found.p) != INCONCLUSIVE)
        assert np.mean(pooled) > 0.4
        assert np.mean(ours) <= allowed()


class TestSlopes:
    between = Slopes(kind="slopes", level="between", measure="r_projection", direction="greater", **COMMON)
    within = Slopes(kind="slopes", level="within", measure="r_projection", direction="greater", **COMMON)

    @pytest.fixture(autouse=True)
    def without_mixed_model(self, monkeypatch, request):
        """The mixed model is only shown, and takes longer than all the rest."""
        monkeypatch.setattr("lowparam.claims.kinds.slopes.resampled", partial(resampled, draws=20))
        if "mixed" not in request.node.name:
            monkeypatch.setattr("lowparam.claims.kinds.slopes.mixed_note", lambda data, scale: "")

    def test_each_level_finds_its_own_slope(self):
        make = lambda rng: associated(rng, between=2.0, within=-1.0)  # noqa: E731
        assert share(verdicts(self.between, make), SUPPORTED) > 0.7
        assert share(verdicts(self.within, make), CONTRADICTED) > 0.9

    def test_no_slope_gives_few_verdicts(self):
        assert definite(verdicts(self.between, associated)) <= allowed()
        assert definite(verdicts(self.within, associated)) <= allowed()

    def test_what_a_seed_does_to_all_runs_is_no_slope_within(self):
        """Seeds share the order of the data: three of them are three points, in however many configurations."""

        def make(rng):
            runs = associated(rng, seeds=3)
            shared = rng.normal(0, 0.3, 3)[runs["seed"]]
            accuracy = expit(logit(runs["test_accuracy"]) + rng.normal(0, 0.3, 3)[runs["seed"]])
            return runs.assign(r_projection=runs["r_projection"] + shared, test_accuracy=accuracy)

        assert definite(verdicts(self.within, make)) <= allowed()

    def test_a_slope_between_is_not_seen_within(self):
        make = lambda rng: associated(rng, between=2.0)  # noqa: E731
        assert definite(verdicts(self.within, make)) <= allowed()

    def test_no_number_of_a_mixed_model_that_did_not_converge_is_printed(self, monkeypatch):
        monkeypatch.setattr(MixedLM, "fit", lambda self, **_: SimpleNamespace(converged=False))
        note = self.between.find(associated(np.random.default_rng(1), between=2.0, within=-1.0)).note
        assert note == "The mixed model did not converge on these runs, so its numbers are not given."

    def test_the_mixed_model_recovers_both_slopes(self):
        runs = associated(np.random.default_rng(1), between=2.0, within=-1.0)
        note = self.between.find(runs).note
        values = [float(part.split()[0]) for part in (note.split("within ")[1], note.split("between ")[1])]
        scale = runs.groupby(["architecture", "budget"])["r_projection"].mean()
        scale = (scale - scale.groupby("budget").transform("mean")).std(ddof=0)
        assert values[0] / scale == pytest.approx(-1.0, abs=0.1)
        assert values[1] / scale == pytest.approx(2.0, abs=0.8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "make"),
    [
        pytest.param(paired(), TestPaired().make(0.0), id="paired"),
        pytest.param(paired(margin=2.0), TestPaired().make(0.02), id="paired, at the margin"),
        pytest.param(TestInteraction.test, TestInteraction().make(0.0), id="interaction"),
        pytest.param(TestEquivalence.test, TestEquivalence().make(0.01), id="equivalence, at the margin"),
        pytest.param(TestExponent.test, TestExponent().make(0.0), id="exponent"),
        pytest.param(TestCrossing.test, TestCrossing().make(0.0), id="crossing"),
        pytest.param(TestDose.test, TestDose().make(0.0), id="dose"),
    ],
)
def test_two_thousand_experiments_without_an_effect(test, make):
    assert definite(verdicts(test, make, 2000)) <= allowed(2000)
