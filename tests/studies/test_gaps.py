import re
from pathlib import Path

import pytest
from matplotlib import pyplot as plt

from lowparam import catalogue, params
from lowparam.params import Experiment
from lowparam.references.stars import TABLES
from lowparam.registry import constants
from lowparam.report.figures import star_interference as interference_figure
from lowparam.report.figures import star_sweeps, star_variants
from lowparam.report.star_pairs import MEASURES, paired
from lowparam.report.tables import star_activation, star_gap, star_interference
from lowparam.report.tables._star_variants import variants_table
from lowparam.studies.star.names import standard
from synthetic_runs import table_of

NAMES = ["demonet_star", "demonet_sum", "demonet_star_noact", "demonet_sum_noact"]
EXPERIMENTS = params.load(Path(__file__).parents[2] / "params.yaml").experiments


def own(table, quantity="difference"):
    numbers = table.numbers
    chosen = numbers[(numbers["data"] == "toy") & (numbers["quantity"] == quantity)]
    return chosen.set_index("network")["mean"].to_dict()


def first_column(table, data):
    return [row[1] for row in table.rows if row[0] == data]


def test_gap_is_star_minus_sum_in_points_paired_by_seed():
    table = star_gap.compare(table_of(NAMES), "toy")
    assert own(table) == {
        "DemoNet, 10k": pytest.approx(10),
        "DemoNet, 25k": pytest.approx(10),
        "DemoNet, no activation, 10k": pytest.approx(10),
        "DemoNet, no activation, 25k": pytest.approx(10),
    }
    assert own(table, "first")["DemoNet, 10k"] == pytest.approx(51)
    paired_gaps = table.numbers.query("data == 'toy' and quantity == 'difference'")
    assert paired_gaps["half_width"].max() < 1e-9 and (paired_gaps["n"] == 3).all()


def test_published_gaps_stand_above_ours():
    table = star_gap.compare(table_of(NAMES), "toy")
    assert [row[0] for row in table.rows] == ["ImageNet-1k"] * 7 + ["toy"] * 2 + ["ImageNet-1k"] + ["toy"] * 2
    gaps = [round(row[-1].estimate.mean, 1) for row in table.rows[:7]]
    assert gaps == [6.5, 5.5, 5.5, 5.5, 4.3, 3.9, 3.6]
    assert table.rows[9][-1].estimate.mean == pytest.approx(70.5 - 32.4)


def test_depths_stand_below_the_published_depths():
    names = [f"demonet_{operator}_d{depth}_w32" for operator in ("star", "sum") for depth in (6, 12)]
    table = star_gap.compare(table_of(names, budgets=("published",)), "toy")
    assert table.rows[0][1] == "DemoNet, depth 10"
    assert [row[1] for row in table.rows[7:]] == ["DemoNet, depth 6, width 32", "DemoNet, depth 12, width 32"]


@pytest.mark.parametrize(
    ("experiment", "without_activation"),
    [("demonet_sweeps", 7 + 1), ("fashion_mnist_demonet_sweeps", 7 + 7)],  # on digits for each width alone
)
def test_sweeps_have_seven_widths_and_seven_depths_below_the_papers(experiment, without_activation):
    runs = table_of(EXPERIMENTS[experiment].architectures, budgets=("published",))
    table = star_gap.compare(runs, "toy")
    blocks = [name for name, _ in _runs_of(row[0] for row in table.rows)]
    assert blocks == ["ImageNet-1k", "toy", "ImageNet-1k", "toy", "ImageNet-1k", "toy"]
    counts = [count for _, count in _runs_of(row[0] for row in table.rows)]
    assert counts[:5] == [7, 7, 7, 7, 1]
    widths = [int(re.search(r"width (\d+)", row[1])[1]) for row in table.rows[7:14]]
    assert widths == sorted(widths) and len(set(widths)) == 7
    table = star_activation.compare(runs, "toy")
    rows = [row for row in table.rows if row[0] == "toy" and ", star, " in row[1]]
    assert len(rows) == without_activation  # the common network of both sweeps is in both, as in the paper
    assert all(row[-1].estimate.mean == pytest.approx(-5) for row in rows)


def _runs_of(values):
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


def test_change_by_removing_activations_is_negative_where_it_costs():
    table = star_activation.compare(table_of(NAMES), "toy")
    assert own(table) == {
        f"DemoNet, {operator}, {budget}": pytest.approx(-5) for operator in ("star", "sum") for budget in ("10k", "25k")
    }
    changes = [round(row[-1].estimate.mean, 1) for row in table.rows[:2]]
    assert changes == [-33.8, -1.2]


def test_starnet_is_star_without_saying_so():
    table = star_gap.compare(table_of(["starnet_s050", "starnet_sum_s050"], budgets=("published",)), "toy")
    assert own(table) == {"StarNet-050": pytest.approx(10)}


def test_diverged_runs_are_not_hidden():
    runs = table_of(NAMES[:2], budgets=("10k",))
    runs.loc[0, "test_accuracy"] = float("nan")
    table = star_gap.compare(runs, "toy")
    assert [part.plain() for part in table.rows[-1][2:]].count("–") == 2


def test_tables_are_made_only_of_pairs():
    def names(*architectures):
        experiment = Experiment(
            data="d", recipe="r", architectures=list(architectures), probes=["none"], budgets=["10k"], seeds=[0]
        )
        return set(catalogue.tables(experiment)) - {"accuracy", "cost", "interference"}

    assert names("mobilenetv1", "demonet_star") == set()
    assert names("demonet_star", "demonet_sum") == {"star_gap", "star_interference"}
    assert names("starnet", "starnet_sum", "mobilenetv2") == {"star_gap", "star_interference"}
    assert names("demonet_star", "demonet_star_noact") == {"star_activation", "bilinear"}
    assert names("demonet_star", "demonet_sum_noact") == set()
    assert names("starnet", "starnet_sum12") == {"star_stages"}
    assert names("starnet", "starnet_actboth", "starnet_gelu") == {"star_placement", "star_kind"}
    assert names("starnet_gate") == set()


def variants(name, names, **options):
    return variants_table(catalogue.VARIANT_TABLES[name], table_of(names, budgets=("25k",), **options), "toy")


def shown(table):
    return {row[0]: [part if isinstance(part, str) else part.plain() for part in row[1:]] for row in table.rows}


def test_variants_stand_in_the_rows_of_the_paper_and_what_was_not_run_says_so():
    table = variants("star_placement", ["starnet", "starnet_noact", "starnet_actboth"])
    assert shown(table) == {
        "none": ["75.6", "−2.8", "56.0 ± 2.5", "−5.0 ± 0.0"],
        "both branches": ["78.0", "−0.4", "61.0 ± 2.5", "0.0 ± 0.0"],
        "after the product": ["77.0", "−1.4", "not run", "not run"],
        "one branch": ["78.4", "", "61.0 ± 2.5", ""],
    }
    assert "not run" in table.latex("toy") and "S[" in table.latex("toy")
    assert "not run" not in table.numbers.to_string()  # no numbers for what was not run
    assert set(table.numbers.loc[table.numbers["data"] == "toy, 25k", "place"]) == {
        "none",
        "both branches",
        "one branch",
    }


def test_stages_are_written_as_the_paper_does():
    table = variants("star_stages", ["starnet", "starnet_sum", "starnet_sum1", "starnet_sum23"])
    rows = shown(table)
    assert list(rows) == [*TABLES[7].frame()["stages"], "+++", "S++", "+SS", "SSS"]
    assert rows["SSSS"] == ["78.4", "", "not run", "not run"]
    assert rows["+++"][:2] == ["", ""] and rows["+++"][3] == "−10.0 ± 0.0"
    table = variants("star_stages", ["starnet_s050", "starnet_sum_s050", "starnet_sum12_s050"])
    assert shown(table)["++SS"][:2] == ["78.4", "0.0"]
    assert shown(table)["++++"][1:] == ["−3.1", "51.0 ± 2.5", "−10.0 ± 0.0"]


@pytest.mark.parametrize("experiment", ["star_designs", "fashion_mnist_star_designs"])
def test_planned_variants_fill_the_papers_tables(experiment):
    chosen = EXPERIMENTS[experiment]
    budget = "25k" if chosen.budgets else "published"
    runs = table_of(chosen.architectures, budgets=(budget,))
    assert {standard(name) for name in chosen.architectures} <= set(chosen.architectures)
    for name, number in catalogue.VARIANT_TABLES.items():
        assert name in catalogue.tables(chosen)
        missing = [row[0] for row in variants_table(number, runs, "toy").rows if "not run" in row]
        assert missing == (list(TABLES[number].frame()["stages"]) if name == "star_stages" and chosen.budgets else [])
    figure = star_variants.draw(runs)
    assert len(figure.axes[0].get_yticks()) > 15
    plt.close(figure)


def test_interference_is_paired_by_size_and_seed():
    runs = table_of(NAMES)
    runs.loc[runs["architecture"].str.contains("star") & (runs["budget"] == "25k"), "r_join"] += 0.2
    table = star_interference.compare(runs)
    assert len(table.rows) == 2 * len(MEASURES)
    numbers = table.numbers[table.numbers["pair"] == "demonet_star"].set_index(["measure", "size", "quantity"])
    assert numbers.loc[("chi_stages", "all", "difference"), "mean"] == pytest.approx(0.1)
    assert numbers.loc[("r_join", "all", "difference"), "mean"] == pytest.approx(0.2)
    assert numbers.loc[("r_join", "demonet_star 25k", "difference"), "mean"] == pytest.approx(0.3)
    assert numbers.loc[("r_join", "all", "difference"), "half_width"] == pytest.approx(0, abs=1e-9)
    assert numbers.loc[("r_join", "all", "star"), "n"] == 3
    caption = constants(catalogue.TABLES, "star_interference")["CAPTION"]
    assert "2 sizes" in caption.format(experiment="toy", seeds=3, **table.details)


def test_a_measure_that_sums_do_not_have_is_blank_for_them():
    runs = table_of(NAMES[:2])
    runs.loc[runs["architecture"] == "demonet_sum", "quadratic_share"] = float("nan")
    table = star_interference.compare(runs)
    row = next(row for row in table.rows if row[1] == MEASURES["quadratic_share"][0])
    assert [part.plain() for part in row[2:]] == ["–", "0.31 ± 0.02", "–"]


def test_only_pairs_are_compared():
    runs = table_of(["demonet_star", "demonet_sum_noact", "starnet", "starnet_sum"])
    assert set(paired(runs)["pair"]) == {"starnet"}


@pytest.mark.parametrize("names", [NAMES, EXPERIMENTS["demonet_sweeps"].architectures])
def test_interference_figure_has_a_panel_a_measure_and_a_line_an_arm(names):
    runs = table_of(names, budgets=("published",) if names is not NAMES else ("10k", "25k"))
    figure = interference_figure.draw(runs)
    assert [ax.get_title() for ax in figure.axes] == [label for label, _ in MEASURES.values()]
    assert len(figure.axes[0].containers) == 4
    sizes = {len(container.lines[0].get_xdata()) for container in figure.axes[0].containers}
    assert sizes == {7 if names is not NAMES else 2}
    plt.close(figure)


def test_sweeps_are_drawn_below_the_papers():
    runs = table_of(EXPERIMENTS["demonet_sweeps"].architectures, budgets=("published",))
    figure = star_sweeps.draw(runs)
    lines = [{c.get_label(): list(c.lines[0].get_ydata()) for c in ax.containers} for ax in figure.axes]
    assert lines[0]["star"] == TABLES[2].frame()["star"].tolist()
    assert lines[1]["star, no activation"] == TABLES[16].frame()["without"].tolist()
    assert lines[0]["sum, no activation"] == [32.4]
    assert lines[2]["sum"] == pytest.approx([51] * 7) and lines[3]["star"] == pytest.approx([61] * 7)
    plt.close(figure)


def test_published_networks_of_one_family_are_one_line():
    found = catalogue.families(
        ["mobilenetv1_x0.25", "demonet_star_d12_w8", "demonet_star_d10_w32@lr0.1", "starnet_s050"]
    )
    assert list(found) == ["mobilenetv1", "demonet_star", "demonet_star@lr0.1", "starnet"]
    assert list(catalogue.families(["mobilenetv2", "ablation_mobilenetv2_e2", "timm:resnet18"])) == [
        "mobilenetv2",
        "ablation_mobilenetv2_e2",
        "timm:resnet18",
    ]


def test_an_experiment_has_the_figures_that_its_networks_give():
    names = {name: set(catalogue.figures(EXPERIMENTS[name])) for name in ("demonet", "demonet_sweeps", "star_designs")}
    star = {name: {figure for figure in found if figure.startswith("star_")} for name, found in names.items()}
    assert star == {
        "demonet": {"star_interference"},
        "demonet_sweeps": {"star_interference", "star_sweeps"},
        "star_designs": {"star_variants"},
    }
    inside = {name: {f for f in found if f.startswith("profile_")} for name, found in names.items()}
    assert inside["demonet_sweeps"] == {f"profile_demonet_{arm}" for arm in ("star", "sum", "star_noact", "sum_noact")}
    assert inside["star_designs"] == {"profile_starnet", "profile_starnet_sum"}


def test_published_tables_have_the_paper_s_numbers():
    assert set(TABLES) == {2, 3, 4, 7, 9, 15, 16, 17, 18}
    depth = TABLES[3].frame().set_index("depth")
    assert (depth["star"] - depth["sum"]).round(1).tolist() == [6.5, 5.5, 4.7, 4.1, 4.0, 5.8, 4.8]
    # Tables that print the same network agree.
    assert (
        TABLES[2].frame().set_index("width")["star"].to_dict()
        == TABLES[15].frame().set_index("width")["with"].to_dict()
    )
    assert depth["star"].to_dict() == TABLES[16].frame().set_index("depth")["with"].to_dict()
    assert TABLES[7].frame().set_index("stages")["accuracy"]["SSSS"] == TABLES[9].frame()["accuracy"].max() == 78.4
