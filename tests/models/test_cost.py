import pytest
import torch
from torch import Tensor, nn

from lowparam.models.cost import cost, count_macs, count_parameters, peak_activation_elements
from lowparam.models.skeletons import controlled


class Chain(nn.Module):
    """Two convolutions with a norm and an activation between them, and perhaps a shortcut around it all."""

    def __init__(self, shortcut: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm, self.act = nn.BatchNorm2d(8), nn.ReLU()
        self.second = nn.Conv2d(8, 3, 1)
        self.classifier = nn.Linear(3, 10)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.act(self.norm(self.first(x))))
        y = x + y if self.shortcut else y
        return self.classifier(y.mean((2, 3)))


def test_macs_of_a_chain_are_those_counted_by_hand():
    by_hand = 16 * 16 * 3 * 8 * 9 + 16 * 16 * 8 * 3 + 3 * 10
    assert count_macs(Chain(shortcut=False), 3, 16) == by_hand


def test_peak_is_what_an_operation_reads_and_writes():
    assert peak_activation_elements(Chain(shortcut=False), 3, 16) == 16 * 16 * (3 + 8)


def test_peak_holds_what_a_shortcut_still_needs():
    # While the second convolution runs: the image for the shortcut, what it reads, what it writes.
    assert peak_activation_elements(Chain(shortcut=True), 3, 16) == 16 * 16 * (3 + 8 + 3)


def test_norms_and_activations_write_over_their_input():
    class Tail(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.act = nn.Conv2d(1, 50, 1), nn.BatchNorm2d(50), nn.GELU()

        def forward(self, x):
            return self.act(self.norm(self.conv(x)))

    assert peak_activation_elements(Tail(), 1, 10) == 10 * 10 * (1 + 50)


def test_an_input_that_is_read_later_is_not_written_over():
    class Gate(nn.Module):
        def forward(self, x):
            return x * x.sigmoid()

    assert peak_activation_elements(Gate(), 5, 10) == 2 * 5 * 10 * 10


def test_peak_does_not_depend_on_names_that_python_still_holds():
    class Hoarder(Chain):
        def forward(self, x):
            a = self.first(x)
            b = self.norm(a)
            c = self.act(b)
            d = self.second(c)
            return self.classifier(d.mean((2, 3)))

    assert peak_activation_elements(Hoarder(False), 3, 16) == peak_activation_elements(Chain(False), 3, 16)


def test_bytes_are_four_and_one_a_value():
    given = cost(Chain(shortcut=False), 3, 16)
    assert given.peak_activation_bytes == 4 * 16 * 16 * 11
    assert given.peak_activation_bytes_int8 == 16 * 16 * 11
    assert given.weight_bytes == 4 * given.parameters.total
    assert given.weight_bytes_int8 == given.parameters.total


def test_head_and_body_make_the_total():
    counted = count_parameters(Chain(shortcut=False))
    assert counted.head == 3 * 10 + 10
    assert counted.body == 3 * 8 * 9 + 8 + 2 * 8 + 8 * 3 + 3
    assert counted.total == counted.head + counted.body


@pytest.mark.parametrize("architecture", ["mobilenetv2", "convnext", "starnet"])
def test_costing_leaves_the_network_as_it_was(architecture):
    net = controlled.build(architecture, 8.0, classes=10, in_channels=1, size=8)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    cost(net, 1, 8)
    assert net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
