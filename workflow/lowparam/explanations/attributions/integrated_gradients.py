"""Integrated gradients: the gradient along the way from the mean image to the image (arXiv 1703.01365, by captum).

The sum over pixels is the output's difference between image and mean image, which is 0 where images are normalised.
"""

import torch
from torch import Tensor

from lowparam.explanations.attributions import Subject
from lowparam.explanations.packages import need

__all__ = ["attribute"]

LABEL = "integrated gradients"
PLACE = 10
PACKAGE = "captum"
STEPS = 32


def attribute(subject: Subject, images: Tensor, targets: Tensor) -> Tensor:
    """Return the sum over channels of the integrated gradients (N, H, W), signed."""
    method = need("captum.attr").IntegratedGradients(subject.net)
    with torch.enable_grad():
        found = method.attribute(images, target=targets, n_steps=STEPS, internal_batch_size=max(256, len(images)))
    return found.sum(1).detach()
