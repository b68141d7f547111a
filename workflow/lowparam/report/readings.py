"""Readings of SoLU and NoDepth as table and figure show them: which there are, and what the claims are under each."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lowparam.catalogue import nodepth_readings, solu_readings
from lowparam.claims.finding import CONTRADICTED, SUPPORTED
from lowparam.claims.readings import BLOCK, CHOSEN_ON, PATTERN, PROBE, chosen, judge_readings, primary_test
from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.report.context import Context
from lowparam.report.estimates import gap_by_seed
from lowparam.report.formats import enumerate_words

__all__ = ["GROUPS", "Readings"]

GROUPS = {
    "V1, V2, V3": ("mobilenetv1", "mobilenetv2", "mobilenetv3"),
    "ConvNeXt": ("convnext",),
    "MobileNeXt": ("mobilenext",),
}
"""Blocks whose change of accuracy is averaged: the two sides of C5, and MobileNeXt, which has batch norm here."""


@dataclass(frozen=True)
class Readings:
    """Judge the readings in one experiment.

    Parameters
    ----------
    context : Context
        The experiment.
    """

    context: Context

    @property
    def solu(self) -> list[str]:
        """The readings of SoLU, if there are several."""
        found = solu_readings(self.context.experiment)
        return found if len(found) > 1 else []

    @property
    def probes(self) -> list[str]:
        """The readings of SoLU, if there are several, and its controls."""
        return [name for name in self.context.experiment.probes if name != "none"] if self.solu else []

    @property
    def blocks(self) -> list[str]:
        """The readings of NoDepth, if there are several."""
        found = nodepth_readings(self.context.experiment)
        return found if len(found) > 1 else []

    @cached_property
    def of_solu(self) -> pd.DataFrame:
        """C4, C5 and C8 with each probe in SoLU's place, and r at projections as another test of C4."""
        registry = self.context.registry
        tests = {(claim, "primary"): primary_test(registry, claim) for claim in PATTERN}
        tests["C4", "overlap"] = registry.tests()["C4", "learned"]
        return judge_readings(registry, self.context.name, self.context.runs, tests, PROBE, self.probes)

    @cached_property
    def of_nodepth(self) -> pd.DataFrame:
        """C7 and C8 with each block in the place of NoDepth: as an exponent, with SoLU, and as a block of its own."""
        registry = self.context.registry
        tests = {(claim, "primary"): primary_test(registry, claim) for claim in ("C7", "C8")}
        tests["C8", "block"] = registry.tests()["C8", "block_part"]
        return judge_readings(registry, self.context.name, self.context.runs, tests, BLOCK, self.blocks)

    def claims(self, judged: pd.DataFrame, reading: str, verdict: str) -> list[str]:
        """Return the claims whose primary test has a verdict under a reading."""
        found = judged[judged["reading"].eq(reading) & judged["test"].eq("primary") & judged["verdict"].eq(verdict)]
        return found["claim"].tolist()

    def shows_the_pattern(self, probe: str) -> bool:
        """Whether all claims of the paper's pattern are supported under a probe."""
        return self.claims(self.of_solu, probe, SUPPORTED) == list(PATTERN)

    def conclusion(self) -> str:
        """Say which reading of SoLU shows the paper's pattern, and which one other data are judged under."""
        those = [name for name in self.solu if self.shows_the_pattern(name)]
        which = enumerate_words(PATTERN)
        said = f"Readings under which {which} are all supported: {', '.join(those) or 'none'}."
        controls = [name for name in self.probes if name not in self.solu and self.shows_the_pattern(name)]
        if controls:
            said += f" So are they with controls that have no softmax: {', '.join(controls)}."
        if self.context.name != CHOSEN_ON:
            return f"{said} Which of them is chosen for other data is decided on the experiment {CHOSEN_ON} alone."
        return f"{said} By the rule of the protocol other data are judged under {chosen(self.of_solu, self.solu)}."

    def change(self, probe: str, group: str) -> Estimate:
        """Compute the change of accuracy by a probe in a group of blocks, in points, paired by seed.

        NaN if a run is missing or has no accuracy: a mean over survivors would flatter the probe.
        """
        names = GROUPS[group]
        gaps = gap_by_seed(self.context.runs)
        gaps = gaps[gaps["probe"].eq(probe) & gaps["architecture"].isin(names)]
        if set(gaps["architecture"]) != set(names) or gaps["gap"].isna().any():
            return Estimate(np.nan, np.nan, 0)
        return mean_interval(-gaps.groupby("seed")["gap"].mean())

    def verdict_words(self, judged: pd.DataFrame, reading: str) -> tuple[str, str]:
        """Return the supported and the contradicted claims of a reading, as printed."""
        found = [", ".join(self.claims(judged, reading, word)) for word in (SUPPORTED, CONTRADICTED)]
        return found[0] or "–", found[1] or "–"
