import matplotlib.pyplot as plt
import pytest
import torch

from lowparam.interference.profile import profile_run
from lowparam.params import Profile
from lowparam.report.interference import (
    cross_talk_figure,
    draw_profile,
    gram_figure,
    profile_figure,
    spectrum_figure,
)

CHEAP = Profile(images=100, ablation_pairs=0, gradient_images=0)


@pytest.fixture(scope="module")
def profiles(digits, untrained):
    return [
        profile_run(
            untrained("mobilenetv2", digits, seed=seed), digits, CHEAP, untrained=untrained("mobilenetv2", digits)
        )
        for seed in range(2)
    ]


def test_lines_show_the_values_of_the_profile(profiles):
    figure = profile_figure(profiles[:1])
    axis = figure.axes[1]
    drawn = next(line for line in axis.lines if line.get_label() == "trained")
    chi = profiles[0].loc[profiles[0]["measure"] == "chi", "value"]
    assert drawn.get_ydata().tolist() == pytest.approx(chi.tolist())
    labels = {line.get_label() for line in axis.lines}
    assert {"trained", "untrained", "null", "forced floor"} <= labels
    plt.close(figure)


def test_equal_profiles_give_equal_files(profiles, tmp_path):
    for name in ("one", "two"):
        draw_profile(profiles, tmp_path / name)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def test_heatmaps_show_what_they_are_given():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(4, 9, generator=generator)
    figure = gram_figure(vectors)
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (9, 9)
    assert abs(shown).max() <= 1
    effects = torch.randn(10, 10, generator=generator)
    talk = cross_talk_figure(effects, [str(k) for k in range(10)])
    assert talk.axes[0].images[0].get_array().data == pytest.approx((effects / effects.abs().max()).numpy())
    plt.close(figure), plt.close(talk)


def test_noise_stays_in_the_band_of_a_random_matrix():
    noise = torch.randn(2000, 20, generator=torch.Generator().manual_seed(0))
    figure = spectrum_figure(torch.cov(noise.T), 2000)
    values = figure.axes[0].lines[0].get_ydata()
    assert (values > (1 - 0.1) ** 2 - 0.03).all()
    assert (values < (1 + 0.1) ** 2 + 0.03).all()
    plt.close(figure)
