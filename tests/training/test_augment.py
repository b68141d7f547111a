import pytest
import torch
import torch.nn.functional as F

from lowparam.params import Augment
from lowparam.training.augment import change_pixels, draw, generator, mix

EVERYTHING = Augment(crop_padding=2, flip=True, rotation=15.0, cutout=3, mixup=0.4, cutmix=1.0)


def test_draws_depend_on_seed_and_epoch_alone():
    def drawn(seed, epoch):
        return draw(50, EVERYTHING, generator(seed, epoch))

    same, other_seed, other_epoch = drawn(0, 1), drawn(1, 1), drawn(0, 0)
    for field in same.__dataclass_fields__:
        assert torch.equal(getattr(same, field), getattr(drawn(0, 1), field))
    assert not torch.equal(same.order, other_seed.order)
    assert not torch.equal(other_seed.order, other_epoch.order)  # seed 1 epoch 1 is not seed 0 epoch 2 or the like


def test_every_image_is_visited_once_in_batches_of_nearly_one_size():
    batches = draw(1078, EVERYTHING, generator(0, 0)).batches(64)
    sizes = [len(batch.order) for batch in batches]
    assert len(sizes) == 17 and set(sizes) == {63, 64}
    assert sorted(torch.cat([batch.order for batch in batches]).tolist()) == list(range(1078))


def test_crop_and_flip_are_those_of_slicing_a_padded_image():
    augment = Augment(crop_padding=2, flip=True)
    pixels = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8)
    draws = draw(40, augment, generator(0, 0))
    changed = change_pixels(pixels, draws, augment)
    padded = F.pad(pixels, [2] * 4)
    for image in range(40):
        row, column = draws.shift[image].tolist()
        expected = padded[image, :, row : row + 8, column : column + 8]
        assert torch.equal(changed[image], expected.flip(2) if draws.flip[image] else expected)
    assert 5 < draws.flip.sum() < 35
    assert set(draws.shift.flatten().tolist()) == {0, 1, 2, 3, 4}


def test_a_quarter_turn_is_that_of_rot90():
    augment = Augment(rotation=180.0)
    pixels = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    draws = draw(2, augment, generator(0, 0))
    draws.angle[:] = torch.pi / 2
    turned = change_pixels(pixels, draws, augment)
    assert torch.allclose(turned, pixels.float().rot90(1, (2, 3)), atol=1e-2)


def test_cutout_sets_a_square_to_the_mean():
    augment = Augment(cutout=3)
    labels, draws = torch.zeros(200).long(), draw(200, augment, generator(0, 0))
    images, targets = mix(torch.ones(200, 2, 16, 16), labels, draws, augment, 10)
    holes = (images == 0).sum((2, 3))
    assert torch.equal(holes[:, 0], holes[:, 1])
    assert holes.max() == 9 and holes.min() >= 1  # smaller where the border cuts it
    assert torch.equal(targets, labels)


@pytest.mark.parametrize("augment", [Augment(mixup=0.4), Augment(cutmix=1.0), Augment(mixup=0.4, cutmix=1.0)])
def test_targets_say_how_much_of_each_image_is_there(augment):
    labels = torch.arange(100) % 10
    images = labels.view(-1, 1, 1, 1).float().expand(100, 1, 12, 12)  # an image is its label, so a mean is a target
    mixed, targets = mix(images, labels, draw(100, augment, generator(0, 0)), augment, 10)
    assert torch.allclose(targets.sum(1), torch.ones(100))
    assert torch.allclose(mixed.mean((1, 2, 3)), targets @ torch.arange(10.0), atol=1e-5)
    assert (targets.max(1).values < 0.999).sum() > 50


def test_mixup_shares_follow_the_beta_distribution():
    share = draw(20_000, Augment(mixup=0.4), generator(0, 0)).share
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.005)  # of Beta(a, a)
