import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from lowparam import catalogue
from lowparam.interference import figure_data
from lowparam.interference.profile import profile_run
from lowparam.params import Profile
from lowparam.registry import constants, entries
from lowparam.report.context import Profiles
from lowparam.report.figures import cross_talk, directions, profile, spectra
from lowparam.report.figures.spectra import random_band
from lowparam.report.model_report import PROFILE_FIGURES, summary_table, write_model_report
from lowparam.report.tables import behaviour
from lowparam.report.tables.sweep import SWEEP

CHEAP = Profile(images=100, ablation_pairs=0, gradient_images=0)


@pytest.fixture(scope="module")
def profiles(digits, untrained):
    kept, tables = {}, []
    for seed in range(2):
        before = untrained("mobilenetv2", digits)
        net = untrained("mobilenetv2", digits, seed=seed)
        tables.append(profile_run(net, digits, CHEAP, untrained=before, figure_data=kept))
    return tables, kept


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def inside(arrays, classes=()):
    return Profiles({}, {"trained": arrays}, list(classes))


def drawn(axis, label):
    return next(line for line in axis.lines if line.get_label() == label).get_ydata().tolist()


def test_lines_show_the_values_of_the_profile(profiles):
    tables, _ = profiles
    figure = profile.draw(Profiles({"own activation": tables[:1]}, {}, []))
    ratio, chi = figure.axes[:2]
    first = tables[0].set_index(["measure", "site"])
    assert drawn(chi, "trained") == pytest.approx(first.loc["chi", "value"].tolist())
    assert drawn(chi, "untrained") == pytest.approx(first.loc["chi", "untrained"].tolist())
    assert drawn(chi, "forced by the shape") == pytest.approx(first.loc["chi_floor", "value"].tolist())
    assert drawn(chi, "null") == [1.0] * 6
    # No directions share their dimensions better than a tight frame.
    projections = [site for site in first.loc["floor_tight"].index if site.endswith("projection")]
    best = [first.loc[("floor_tight", s), "value"] / first.loc[("dimensionality", s), "null"] for s in projections]
    assert drawn(ratio, "forced by the shape") == pytest.approx(best)
    assert min(best) > 1


def test_several_networks_have_a_row_each(profiles):
    tables, _ = profiles
    figure = profile.draw(Profiles({"own activation": tables, "SoLU (S1)": tables[:1]}, {}, []))
    assert [axis.get_ylabel() for axis in figure.axes[::4]] == ["own activation", "SoLU (S1)"]


def test_a_measure_that_is_nowhere_defined_says_so(profiles):
    table = profiles[0][0].copy()
    table.loc[table["measure"] == "chi", "value"] = math.nan
    figure = profile.draw(Profiles({"trained": [table]}, {}, []))
    assert [text.get_text() for text in figure.axes[1].texts] == ["undefined"]


def test_equal_profiles_give_equal_files(profiles, tmp_path):
    tables, kept = profiles
    for name in ("one", "two"):
        figure_data.write(tmp_path / name / "profile.safetensors", kept, classes=list("0123456789"))
        tables[0].to_csv(tmp_path / name / "profile.csv", index=False)
        write_model_report(tmp_path / name, "timm:some")
    for suffix in catalogue.FIGURE_SUFFIXES:
        for kind in PROFILE_FIGURES:
            first = (tmp_path / f"one/{kind}.{suffix}").read_bytes()
            assert first == (tmp_path / f"two/{kind}.{suffix}").read_bytes()
    for suffix in catalogue.TABLE_SUFFIXES:
        assert (tmp_path / f"one/summary.{suffix}").read_bytes() == (tmp_path / f"two/summary.{suffix}").read_bytes()


def test_figures_are_those_that_the_catalogue_has_for_each_family():
    per_family = {name for name in entries("report/figures") if constants("report/figures", name).get("PER")}
    assert per_family == set(PROFILE_FIGURES)


def test_the_summary_is_the_mean_over_sites_of_a_kind(profiles):
    table = profiles[0][0]
    found = summary_table(table, "some").numbers.set_index(["measure", "kind"])
    projections = table[(table["measure"] == "dimensionality") & (table["kind"] == "projection")]
    assert found.loc[("dimensionality", "projection"), "value"] == pytest.approx(projections["value"].mean())
    assert found.loc[("dimensionality", "projection"), "sites"] == len(projections)
    assert "| dimensionality" in summary_table(table, "some").markdown()


def test_directions_are_sorted_so_that_copies_are_neighbours():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(30, 5, generator=generator)
    order = torch.randperm(15, generator=generator)
    vectors = base.repeat(1, 3)[:, order] + 0.01 * torch.randn(30, 15, generator=generator)
    figure = directions.draw(inside({"stages.0.0.projection/directions": vectors}))
    shown = np.asarray(figure.axes[0].images[0].get_array())
    for start in range(0, 15, 3):
        block = shown[start : start + 3, start : start + 3]
        assert block[~np.eye(3, dtype=bool)].min() > 0.99
    null = np.asarray(figure.axes[1].images[0].get_array())
    assert np.abs(null).max() < 0.8


def test_the_last_projection_in_the_order_of_data_is_shown():
    found = {f"stages.{stage}.0.projection/directions": torch.randn(4, stage + 3) for stage in (2, 10, 9)}
    figure = directions.draw(inside(found))
    assert figure.axes[0].images[0].get_array().shape == (13, 13)


def test_cross_talk_is_shown_with_its_chi():
    effects = torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    simplex = torch.eye(10) - 0.1
    kept = {"stages.0.1.stream/cross_talk": effects, "stages.1.1.stream/cross_talk": simplex}
    figure = cross_talk.draw(inside(kept, [str(k) for k in range(10)]))
    shown = figure.axes[0].images[0].get_array().data
    assert shown == pytest.approx((effects / effects.abs().max()).numpy())
    assert figure.axes[1].get_title() == "stage 2, block 2, χ = 0.00"


def test_noise_stays_in_the_band_of_a_random_matrix():
    noise = torch.randn(2000, 20, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.eigvalsh(torch.corrcoef(noise.T)).flip(0)
    kept = {"stages.0.1.stream/eigenvalues": values, "stages.0.1.stream/images": torch.tensor(2000.0)}
    axis = spectra.draw(inside(kept)).axes[0]
    assert drawn(axis, "trained") == pytest.approx(values.tolist())
    low, high = random_band(20, 2000)
    assert (low, high) == pytest.approx((0.81, 1.21))
    assert (values > low - 0.03).all()
    assert (values < high + 0.03).all()


def test_nothing_to_show_is_said():
    for figure in (directions.draw(inside({})), spectra.draw(inside({})), cross_talk.draw(inside({}))):
        assert figure.axes[0].texts[0].get_text()


def test_a_damaged_file_of_arrays_is_named(tmp_path):
    (tmp_path / "seed0.safetensors").write_bytes(b"nothing")
    with pytest.raises(figure_data.LowparamError, match=r"seed0\.safetensors holds no arrays of a profile"):
        figure_data.read(tmp_path / "seed0.safetensors")
    with pytest.raises(figure_data.LowparamError, match="does not exist; profile the run first"):
        figure_data.read(tmp_path / "seed1.safetensors")


def test_the_table_of_behaviour_tells_what_follows_superposition_from_what_is_blind():
    truth = np.array([2.0, 4.0, 8.0]).repeat(3)
    sweep = pd.DataFrame({"density": [0.5] * 3 + [0.1] * 3 + [0.01] * 3, "features_per_dimension": truth})
    rises = ("interference", "squared_cosine", "positive_cosine")
    falls = ("dimensionality", "dimensionality_ratio")
    for measure in SWEEP.keys() - {"features_per_dimension"}:
        sweep[measure] = truth if measure in rises else 1 / truth if measure in falls else 1 + 0.001 * truth
    dense = sweep[:3].assign(density=1.0, dimensionality=0.0)
    table = behaviour.judge(pd.concat([dense, sweep]))
    reading = {row[0]: row[-1] for row in table.rows}
    assert reading["mean D"] == "falls with superposition"
    assert reading["interference"] == "rises with superposition"
    assert reading["capacity used"] == reading["coherence"] == "does not follow it"  # a trend, but of a thousandth
    numbers = table.numbers.set_index("measure")
    assert numbers.loc["dimensionality", "spearman"] == pytest.approx(-1)
    assert (numbers.loc["dimensionality", "few"], numbers.loc["dimensionality", "many"]) == (0.5, 0.125)
