"""What is read is rebuilt from finished runs, by its own target, in little time and with the same bytes."""

import re
import shutil

from lowparam import catalogue
from lowparam.params import load
from workspace import busy

PRINTED = ("tables/*", "figures/*", "shown/*", "claims.*", "report.html")


def printed(workspace) -> dict[str, bytes]:
    return {path: content for pattern in PRINTED for path, content in workspace.contents(pattern).items()}


def test_everything_that_is_read_comes_back_from_the_runs(workspace):
    before = printed(workspace)
    assert {"tables/claims.tex", "figures/claims.pdf", "claims.md", "report.html"} <= before.keys()
    results = workspace.folder / "results/digits"
    for name in ("tables", "figures", "shown"):
        shutil.rmtree(results / name)
    for name in ("claims.csv", "claims.md", "report.html"):
        (results / name).unlink()
    jobs = workspace.jobs("digits")
    start = busy()
    assert set(jobs) == {"digits"}
    workspace.snakemake("digits")
    assert busy() - start < 120
    assert printed(workspace) == before


def test_every_table_and_figure_is_in_the_report_with_a_caption(finished, tmp_path):
    said = finished.run("snakemake", "--report", str(tmp_path / "report.html"))
    added = set(re.findall(r"Adding (\S+) \(", said))
    shown = [*finished.contents("tables/*.csv"), *finished.contents("figures/*.png"), "report.html"]
    assert added == {name.rpartition("/")[2] for name in shown}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    chosen = load(finished.folder / "params.yaml").experiment("digits")
    for folder in (catalogue.TABLES, catalogue.FIGURES):
        for of in (None, "verdicts"):
            for output in catalogue.outputs(folder, chosen, of):
                assert output.about and output.about in page, output.name
