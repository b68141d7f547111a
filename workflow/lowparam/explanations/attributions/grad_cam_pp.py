"""Grad-CAM++: the last map, its channels weighted by what they do to the output (arXiv 1710.11063, by torchcam).

The map is that of the last stream of several positions, enlarged to the image; on images of 8 pixels it has few.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.explanations.attributions import Subject
from lowparam.explanations.packages import need

__all__ = ["attribute"]

LABEL = "Grad-CAM++"
PLACE = 20
PACKAGE = "torchcam"


def attribute(subject: Subject, images: Tensor, targets: Tensor) -> Tensor:
    """Return the map enlarged to the image (N, H, W), 0 or more.

    Raises
    ------
    LowparamError
        If the network has no map of several positions.
    """
    if subject.layer is None:
        raise LowparamError("the network has no map of several positions")
    shape = tuple(images.shape[1:])
    with torch.enable_grad(), need("torchcam.methods").GradCAMpp(subject.net, subject.layer, input_shape=shape) as cam:
        (found,) = cam(targets.tolist(), subject.net(images.clone().requires_grad_()), normalized=False)
    found = torch.nan_to_num(found.detach()).reshape(len(images), 1, *found.shape[-2:])
    return F.interpolate(found, images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
