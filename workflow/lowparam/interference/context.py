"""Give a measure what it may use: the network, its sites, the images, and the sums of the one pass."""

from collections.abc import Mapping
from functools import cached_property

from torch import Tensor, nn

from lowparam.interference import measures
from lowparam.interference.held_out import MeasuredImages
from lowparam.interference.one_pass import OwnSums, collect
from lowparam.interference.stages import stage_ends
from lowparam.interference.sums import Moments, Pooled, Statistics
from lowparam.models.blocks import Site
from lowparam.params import Profile

__all__ = ["Context"]

SHOWN = 3
"""Figures show at most this many stages, the last ones."""


class Context:
    """A network and everything that measures read from it; what costs time is computed when it is first used.

    Parameters
    ----------
    net : nn.Module
        Maps (N, C, H, W) to logits (N, K); is set to eval mode.
    sites : mapping of str to Site
        The feature maps, in the order of data.
    images : MeasuredImages
        The images to measure on, with labels and the names of the classes.
    settings : Profile
        Number of images, folds, draws and the like; which measures are added to the default ones.
    seed : int
        Seed of draws that belong to the network, such as pairs of channels.

    Attributes
    ----------
    device : torch.device
        Where the network is.
    arrays : dict of str to Tensor
        Arrays that figures show, by ``<site>/<what>``. A measure may add its own.
    """

    def __init__(
        self,
        net: nn.Module,
        sites: Mapping[str, Site],
        images: MeasuredImages,
        settings: Profile,
        *,
        seed: int = 0,
    ) -> None:
        self.net, self.sites, self.images, self.settings, self.seed = net.eval(), sites, images, settings, seed
        self.device = next(net.parameters()).device
        self.arrays: dict[str, Tensor] = {}

    @cached_property
    def _pass(self) -> tuple[Statistics, dict[str, OwnSums]]:
        modules = {name: measures.find(name) for name in measures.names(self.settings)}
        own = {name: module.Sums(self) for name, module in modules.items() if hasattr(module, "Sums")}
        options = {"positions": self.settings.positions, "folds": self.settings.folds}
        return collect(self.net, self.sites, self.images, own=list(own.values()), **options), own

    @property
    def statistics(self) -> Statistics:
        """Everything that the one pass has summed."""
        return self._pass[0]

    @property
    def sums(self) -> dict[str, OwnSums]:
        """The sums that measures define themselves (class ``Sums``), by the name of the measure."""
        return self._pass[1]

    @property
    def inputs(self) -> dict[str, Moments]:
        """Sums over the input of each pointwise layer, by site; a site is missing if its layer never ran."""
        return self.statistics.inputs

    @property
    def outputs(self) -> dict[str, Moments]:
        """Sums over each feature map, by site; a site is missing if it was not read."""
        return self.statistics.outputs

    @property
    def pooled(self) -> dict[str, Pooled]:
        """Sums over the pooled maps of streams, by site; a stream is missing if it was not read."""
        return self.statistics.pooled

    @cached_property
    def streams(self) -> dict[str, Site]:
        """The outputs of blocks."""
        return {name: site for name, site in self.sites.items() if site.kind == "stream"}

    @cached_property
    def stage_ends(self) -> list[str]:
        """The streams at the ends of stages, in the order of data."""
        return stage_ends({name: pooled.positions for name, pooled in self.pooled.items()})

    @property
    def shown_stages(self) -> list[str]:
        """The streams at the ends of the stages that figures show."""
        return self.stage_ends[-SHOWN:]

    @property
    def last_stage_sites(self) -> list[str]:
        """The projection, reduction, or else stream, of the last block of each stage that figures show."""
        names = []
        for end in self.shown_stages:
            block = end.rpartition(".")[0]
            inner = (f"{block}.projection", f"{block}.reduction")
            names.append(next((name for name in inner if name in self.sites), end))
        return names
