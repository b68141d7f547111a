"""Whatever an experiment prints has a caption in the report."""

from pathlib import Path

import pytest

from lowparam.params import load
from lowparam.report import contents

PARAMS = load(Path(__file__).parents[2] / "params.yaml")
PRINTED = {
    "star": ([*contents.STAR_TABLES, *contents.CLAIM_TABLES, "bilinear"], [*contents.STAR_FIGURES, "claims"]),
    "toy": (contents.TOY_TABLES, contents.TOY_FIGURES),
    **{
        name: (
            [*contents.tables(chosen), *contents.CLAIM_TABLES],
            [*contents.figures(chosen), *contents.claim_figures(chosen)],
        )
        for name, chosen in PARAMS.experiments.items()
    },
}


@pytest.mark.parametrize("experiment", PRINTED)
def test_every_table_and_figure_has_a_caption(experiment):
    for kind, names in zip(("tables", "figures"), PRINTED[experiment], strict=True):
        for name in names:
            text = contents.caption(kind, name).read_text(encoding="utf-8")
            assert text.strip().endswith("."), name


def test_every_caption_is_of_something():
    used = {
        contents.caption(kind, name)
        for printed in PRINTED.values()
        for kind, names in zip(("tables", "figures"), printed, strict=True)
        for name in names
    }
    assert used == set(contents.CAPTIONS.glob("*/*.rst"))
