"""What the table `measures` tells of known superposition is what the measures return on it."""

import pytest

from lowparam.interference.known_behaviour import BEHAVIOUR
from lowparam.interference.known_superposition import Known, images, rank_correlations
from lowparam.interference.summary import columns


def test_a_network_of_known_superposition_reads_each_feature_along_its_direction():
    net, given = Known(24, seed=0), images(24, seed=0, count=40)
    written = net.write.weight[:, :, 0, 0]
    assert written.norm(dim=0).tolist() == pytest.approx([1] * 24)
    one = given.inputs[:1] * 0
    one[0, 3] = 1.0
    expected = ((written.T @ written)[:10, 3] - 0.3).clamp(min=0)  # the feature itself, and what overlaps with it
    assert net(one)[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_what_follows_superposition_does_so_from_one_to_eight_features_a_channel():
    assert set(BEHAVIOUR) <= set(columns())
    found = rank_correlations((1.0, 8.0), seeds=1)
    followers = {name: rho for name, rho in BEHAVIOUR.items() if abs(rho) >= 0.9}
    assert {name: found[name] for name in followers} == {name: 1 if rho > 0 else -1 for name, rho in followers.items()}


@pytest.mark.slow
def test_the_recorded_rank_correlations_are_found_again():
    found = rank_correlations()
    assert {name: found[name] for name in BEHAVIOUR} == pytest.approx(BEHAVIOUR, abs=0.05)
