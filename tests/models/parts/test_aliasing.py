"""Polynomial activations, ideal resampling and blur: what commutes with shifts, and special cases."""

import pytest
import timm.layers
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.parts import aliasfree, avgpool, blurpool, lowpass, maxpool, polynomial
from lowparam.models.parts._lowpass import decimate, upsample


def band_limited(size: int, highest: int) -> Tensor:
    """Return random maps of which no frequency along an axis is above the highest."""
    spectrum = torch.fft.fft2(torch.randn(2, 3, size, size, dtype=torch.double))
    frequency = (torch.fft.fftfreq(size) * size).abs()
    spectrum[..., (frequency[:, None] > highest) | (frequency[None] > highest)] = 0
    return torch.fft.ifft2(spectrum).real


def shifted(x: Tensor, by: float) -> Tensor:
    """Move maps without their highest frequency along their rows, by any fraction of a pixel, as if periodic."""
    phase = torch.exp(-2j * torch.pi * torch.fft.fftfreq(x.shape[3], dtype=torch.double) * by)
    return torch.fft.ifft(torch.fft.fft(x) * phase).real


def test_the_polynomial_begins_near_gelu_and_may_be_the_identity():
    act, x = polynomial.make(3), torch.linspace(-1.4, 1.4, 48).view(1, 3, 4, 4)
    assert (act(x) - F.gelu(x)).abs().max() < 0.04
    with torch.no_grad():
        act.coefficients.copy_(torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(act(x), x, rtol=0, atol=1e-6)
    assert sum(p.numel() for p in act.parameters()) == 3 * 3 + 2


@pytest.mark.parametrize("size", [7, 8])
def test_resampling_up_and_down_returns_what_the_map_can_hold(size):
    x = band_limited(size, (size - 1) // 2)
    up = upsample(x)
    torch.testing.assert_close(up[..., ::2, ::2], x, rtol=0, atol=1e-5)
    torch.testing.assert_close(decimate(up), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("by", [1.0, 0.5, 0.3])
def test_only_the_alias_free_activation_commutes_with_shifts_by_fractions(by):
    x = band_limited(16, 7)

    def error(act: nn.Module) -> float:
        act = act.double()
        return (act(shifted(x, by)) - shifted(act(x), by)).abs().max().item()

    assert error(aliasfree.make(3)) < 1e-5
    if by != 1:
        assert error(polynomial.make(3)) > 0.1
        assert error(nn.ReLU()) > 0.1


def test_the_alias_free_activation_of_a_constant_is_the_polynomial():
    x = torch.randn(2, 3, 1, 1).expand(2, 3, 8, 8)
    torch.testing.assert_close(aliasfree.make(3)(x), polynomial.make(3)(x), rtol=0, atol=1e-5)
    small = torch.randn(2, 3, 2, 2)
    torch.testing.assert_close(aliasfree.make(3)(small), polynomial.make(3)(small), rtol=0, atol=0)


def test_the_low_pass_strides_what_has_no_upper_half_and_removes_it_from_the_rest():
    down, x = lowpass.make(3, 2), band_limited(16, 3)
    torch.testing.assert_close(down(x), x[..., ::2, ::2], rtol=0, atol=1e-5)
    checkered = (torch.arange(16) % 2 * 2.0 - 1).expand(2, 3, 16, 16)
    torch.testing.assert_close(down(checkered), torch.zeros(2, 3, 8, 8), rtol=0, atol=1e-6)
    assert down(torch.randn(1, 3, 7, 5)).shape == (1, 3, 4, 3)


@pytest.mark.parametrize("size", [5, 8])
def test_the_blur_is_timms_layer(size):
    x = torch.randn(2, 3, size, size)
    torch.testing.assert_close(blurpool.make(3, 2)(x), timm.layers.BlurPool2d(3)(x), rtol=0, atol=1e-6)
    constant = torch.ones(2, 3, size, size)
    torch.testing.assert_close(blurpool.make(3, 2)(constant), constant[..., ::2, ::2], rtol=0, atol=1e-6)


def test_pooling_in_place_of_striding_is_that_of_windows_of_three_without_padding_values():
    x = torch.arange(25.0).reshape(1, 1, 5, 5) - 100
    largest = maxpool.make(1, 2)(x)[0, 0] + 100
    assert largest.tolist() == [[6, 8, 9], [16, 18, 19], [21, 23, 24]]
    mean = avgpool.make(1, 2)(x)[0, 0] + 100
    assert mean.tolist() == [[3, 4.5, 6], [10.5, 12, 13.5], [18, 19.5, 21]]
