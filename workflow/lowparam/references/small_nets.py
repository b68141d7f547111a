"""Published results of small networks on the data sets that experiments use, to compare our own runs with.

Test accuracy in percent, with other recipes and mostly hundreds of epochs; no source reports a spread. This module is
light, because the workflow reads it at every start.
"""

from dataclasses import dataclass

__all__ = ["NETS", "PublishedNet", "published_nets"]


@dataclass(frozen=True)
class PublishedNet:
    """One published result.

    Parameters
    ----------
    name : str
        Name of the network.
    accuracy : float
        Test accuracy in percent.
    parameters : float or None
        Number of parameters as reported, mostly rounded; None if the source does not report it.
    source : str
        Where the result is published.
    epochs : int or None
        How long the network was trained; None if the source does not report it.
    pixels : int or None
        Side of the images that the network sees; None if the source does not report it.
    """

    name: str
    accuracy: float
    parameters: float | None
    source: str
    epochs: int | None = None
    pixels: int | None = None


README = "zalandoresearch/fashion-mnist, README (submitted, not tested by the maintainers)"
CHENYAOFO = "chenyaofo/pytorch-cifar-models, README (epochs: its first version)"
WEIAI = "weiaicunzai/pytorch-cifar100, README"
KUANGLIU = "kuangliu/pytorch-cifar, README"

NETS = {
    "fashion_mnist": (
        PublishedNet("2 convolutions, below 100 k", 92.5, 100e3, README, pixels=28),
        PublishedNet("2 convolutions, about 113 k", 92.2, 113e3, README, pixels=28),
        PublishedNet("2 convolutions, 3 dense layers, augmented", 93.4, 500e3, README, pixels=28),
        PublishedNet("DenseNet-BC, augmented", 95.4, 768e3, README),
        PublishedNet("2 convolutions, 3 dense layers", 93.2, 1.8e6, README, pixels=28),
        PublishedNet("WRN-40-4, augmented", 96.7, 8.9e6, README),
        PublishedNet("MobileNet, flips", 95.0, None, README),
        PublishedNet("SqueezeNet", 90.0, None, README, 200),
        PublishedNet("HOG and support vector machine", 92.6, None, README, pixels=28),
        PublishedNet("people without training", 83.5, None, README),
    ),
    "cifar10": (
        PublishedNet("Tiniest", 94.6, 98e3, "huggingface.co/ego-thales/tiniest", 300, 32),
        PublishedNet("ResNet-20", 92.60, 0.27e6, CHENYAOFO, 200, 32),
        PublishedNet("ShuffleNetV2 x0.5", 90.13, 0.35e6, CHENYAOFO, 200, 32),
        PublishedNet("ResNet-32", 93.53, 0.47e6, CHENYAOFO, 200, 32),
        PublishedNet("ResNet-44", 94.01, 0.66e6, CHENYAOFO, 200, 32),
        PublishedNet("MobileNetV2 x0.5", 92.88, 0.70e6, CHENYAOFO, 200, 32),
        PublishedNet("ResNet-56", 94.37, 0.86e6, CHENYAOFO, 200, 32),
        PublishedNet("ShuffleNetV2 x1.0", 92.98, 1.26e6, CHENYAOFO, 200, 32),
        PublishedNet("MobileNetV2 x0.75", 93.72, 1.37e6, CHENYAOFO, 200, 32),
        PublishedNet("MobileNetV2 x1.0", 93.79, 2.24e6, CHENYAOFO, 200, 32),
        PublishedNet("MobileNetV2 x1.0", 94.43, None, KUANGLIU, 200, 32),
    ),
    # Networks of chenyaofo have 90 outputs more than on CIFAR-10, from which their parameters are computed.
    "cifar100": (
        PublishedNet("ResNet-20", 68.83, 0.28e6, CHENYAOFO, 200, 32),
        PublishedNet("ShuffleNetV2 x0.5", 67.82, 0.44e6, CHENYAOFO, 200, 32),
        PublishedNet("ResNet-32", 70.16, 0.47e6, CHENYAOFO, 200, 32),
        PublishedNet("ResNet-44", 71.63, 0.67e6, CHENYAOFO, 200, 32),
        PublishedNet("SqueezeNet", 69.41, 0.78e6, WEIAI, 200, 32),
        PublishedNet("MobileNetV2 x0.5", 70.88, 0.82e6, CHENYAOFO, 200, 32),
        PublishedNet("ResNet-56", 72.63, 0.86e6, CHENYAOFO, 200, 32),
        PublishedNet("ShuffleNet", 70.06, 1.0e6, WEIAI, 200, 32),
        PublishedNet("ShuffleNetV2", 69.51, 1.3e6, WEIAI, 200, 32),
        PublishedNet("ShuffleNetV2 x1.0", 72.39, 1.36e6, CHENYAOFO, 200, 32),
        PublishedNet("MobileNetV2 x0.75", 73.61, 1.48e6, CHENYAOFO, 200, 32),
        PublishedNet("MobileNetV2", 68.08, 2.36e6, WEIAI, 200, 32),
        PublishedNet("MobileNetV1", 65.98, 3.3e6, WEIAI, 200, 32),
    ),
}


def published_nets(data: str) -> tuple[PublishedNet, ...]:
    """Return the published results on a data set of params.yaml; empty if there are none.

    A data set whose name begins with a key of `NETS` has the same test images, so the same results apply:
    ``fashion_mnist_30k`` has those of ``fashion_mnist``.
    """
    return next((nets for name, nets in NETS.items() if data == name or data.startswith(f"{name}_")), ())
