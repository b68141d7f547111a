"""Whatever an experiment prints has a caption in the report."""

from pathlib import Path

import pytest

from lowparam import catalogue
from lowparam.params import load

PARAMS = load(Path(__file__).parents[2] / "params.yaml")
PRINTED = {
    "star": ([*catalogue.STAR_TABLES, *catalogue.CLAIM_TABLES, "bilinear"], [*catalogue.STAR_FIGURES, "claims"]),
    "toy": (catalogue.TOY_TABLES, catalogue.TOY_FIGURES),
    **{
        name: (
            [*catalogue.tables(chosen), *catalogue.CLAIM_TABLES],
            [*catalogue.figures(chosen), *catalogue.claim_figures(chosen)],
        )
        for name, chosen in PARAMS.experiments.items()
    },
}


@pytest.mark.parametrize("experiment", PRINTED)
def test_every_table_and_figure_has_a_caption(experiment):
    for kind, names in zip(("tables", "figures"), PRINTED[experiment], strict=True):
        for name in names:
            text = catalogue.caption(kind, name).read_text(encoding="utf-8")
            assert text.strip().endswith("."), name


def test_every_caption_is_of_something():
    used = {
        catalogue.caption(kind, name)
        for printed in PRINTED.values()
        for kind, names in zip(("tables", "figures"), printed, strict=True)
        for name in names
    }
    assert used == set(catalogue.CAPTIONS.glob("*/*.rst"))
