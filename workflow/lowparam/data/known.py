"""Load images of known features, with what is in each of them.

The prepared data hold the pixels of all worlds of a data set (`lowparam.data.sources.factors`). What is in them is
drawn again from the same seeds, and compared with the labels that were stored.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lowparam import data
from lowparam.data.dataset import SPLITS, Dataset, Images
from lowparam.data.sources import factors
from lowparam.data.sources.factors import Drawn, Templates
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import Data, Dose

__all__ = ["KnownFeatures", "load_known"]


@dataclass(frozen=True)
class KnownFeatures(Dataset):
    """Hold one world in memory. The labels of its splits are the rows of ``drawn``, not classes.

    Attributes
    ----------
    templates : Templates
        All features of the data set; the network has an output for each.
    dose : Dose
        How many of them occur, and with which probability.
    drawn : dict of str to Drawn
        What is in each image of each split.
    """

    templates: Templates | None = None
    dose: Dose | None = None
    drawn: dict[str, Drawn] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """The number of features that occur; they are the first ones."""
        assert self.dose is not None
        return self.dose.features

    @property
    def importance(self) -> Tensor:
        """The weight of each output in the loss, float32 (K,): 0 for features that do not occur, 1 on average else."""
        assert self.templates is not None
        weights = torch.from_numpy(self.templates.importance).float()
        weights[self.features :] = 0
        return weights * self.features / weights.sum()

    def values(self, split: str) -> Tensor:
        """Return the amplitudes (N, K) of all features in the images of a split, 0 where they are absent."""
        return torch.from_numpy(self.drawn[split].values)

    def presence(self, split: str) -> Tensor:
        """Return what the network has to tell, bool (N, K): which features are present.

        Of features that are in all images, it is whether they are stronger than the middle of their amplitudes.
        """
        assert self.templates is not None
        assert self.dose is not None
        middle = 0.75 * torch.from_numpy(self.templates.amplitude) if self.dose.presence == 1 else 0.0
        return self.values(split) > middle

    def strongest(self, split: str) -> Tensor:
        """Return the strongest feature of each image, int64 (N,); K for an image without any."""
        return torch.from_numpy(factors.strongest(self.drawn[split].values))


def load_known(folder: Path, dose: Dose | None) -> KnownFeatures:
    """Read the images of one world, and draw again what is in them.

    Parameters
    ----------
    folder : Path
        Prepared data of the source `factors`.
    dose : Dose or None
        Which world; None if there is only one.

    Raises
    ------
    LowparamError
        As `lowparam.data.load`; if the data set has no such world, or other images than its settings describe.
    """
    everything = data.load(folder)
    manifest = read_json(folder / "manifest.json")
    settings = Data.model_validate(manifest["settings"])
    if settings.factors is None or not isinstance(everything, Dataset):
        raise LowparamError(f"{folder} has no images of known features")
    worlds = factors.worlds(settings.factors)
    if dose is None and len(worlds) == 1:
        dose = Dose(features=worlds[0][0], presence=worlds[0][1])
    if dose is None or (dose.features, dose.presence) not in worlds:
        raise LowparamError(
            f"{folder} has no images of {dose}; it has those of (features, presence) {', '.join(map(str, worlds))}"
        )
    number, known = worlds.index((dose.features, dose.presence)), factors.templates(folder.name, settings)
    splits, drawn = {}, {}
    for split in SPLITS:
        drawn[split] = factors.draw(known, settings.factors, split, dose.features, dose.presence)
        count = len(drawn[split].values)
        stored: Images = getattr(everything, split).take(torch.arange(number * count, (number + 1) * count))
        if not torch.equal(stored.labels, torch.from_numpy(factors.strongest(drawn[split].values))):
            raise LowparamError(
                f"{folder} has other images than its settings describe; run: lowparam prepare {folder.name}"
            )
        splits[split] = Images(stored.pixels, torch.arange(count))
    return KnownFeatures(
        **splits,
        classes=everything.classes,
        mean=everything.mean,
        std=everything.std,
        sha256=everything.sha256,
        templates=known,
        dose=dose,
        drawn=drawn,
    )
