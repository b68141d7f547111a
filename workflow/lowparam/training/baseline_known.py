"""A linear probe of the pixels for images of known features: what no probe finds, no network could find."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lowparam.data import SPLITS
from lowparam.data.known import KnownFeatures, load_known
from lowparam.data.sources.factors import worlds
from lowparam.errors import LowparamError
from lowparam.files import read_json, write_json
from lowparam.params import Data, Dose
from lowparam.threads import one_thread
from lowparam.training.presence_scores import aucs, found_share

__all__ = ["fit_known_baseline"]


@one_thread()
def fit_known_baseline(data_folder: Path, output: Path) -> None:
    """Project pixels on the known templates, and report the share of the features that this finds, over all worlds.

    A template is compared with each tile in which its feature may be, and the largest product counts. Nothing is
    fitted: the parameters are the pixels of the templates. Numbers of images are those of one world, which is what a
    network is trained and tested on.

    Raises
    ------
    LowparamError
        As `lowparam.data.known.load_known`.
    """
    settings = Data.model_validate(read_json(data_folder / "manifest.json")["settings"])
    if settings.factors is None:
        raise LowparamError(f"{data_folder} has no images of known features")
    loaded = [load_known(data_folder, Dose(features=n, presence=p)) for n, p in worlds(settings.factors)]
    shares = {split: [found_share(_areas(world, split)) for world in loaded] for split in SPLITS}
    assert loaded[0].templates is not None
    write_json(
        output,
        {
            "model": "known templates at each place, a linear probe of the pixels",
            "parameters": loaded[0].templates.patterns.size,
            **{
                split: {
                    "accuracy": sum(found) / len(found),
                    "images": len(getattr(loaded[0], split)),
                }
                for split, found in shares.items()
            },
            "training_images": len(loaded[0].train),
            "data_sha256": loaded[0].sha256,
        },
    )


def _areas(world: KnownFeatures, split: str) -> Tensor:
    """Return the area under the ROC curve of each template of a world, float64 (n,)."""
    known, images = world.templates, getattr(world, split)
    assert known is not None
    patterns = torch.from_numpy(known.patterns[: world.features]).float()
    side = patterns.shape[-1]
    products = F.conv2d(images.pixels.float() - images.pixels.float().mean(), patterns, stride=side).flatten(2)
    places = torch.from_numpy(known.places[: world.features])
    best = products.amax(2) if (places < 0).all() else products[:, torch.arange(world.features), places]
    return aucs(best, world.presence(split)[:, : world.features])
