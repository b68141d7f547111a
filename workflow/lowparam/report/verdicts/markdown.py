"""The verdicts of one experiment as a Markdown page."""

from lowparam import catalogue
from lowparam.claims.finding import CONTRADICTED, SUPPORTED
from lowparam.report.table_format import markdown_grid
from lowparam.report.verdicts.view import ClaimVerdict, TestVerdict

__all__ = ["verdict_page"]


def verdict_page(claims: list[ClaimVerdict], name: str, figures: list[catalogue.Output]) -> str:
    """Write the page: an overview, every claim with all its tests, and the figures.

    Parameters
    ----------
    claims : list of ClaimVerdict
        As `lowparam.report.verdicts.view.view` returns them.
    name : str
        The experiment or study.
    figures : list of Output
        What was drawn and is shown in Markdown, with the captions filled in.
    """
    overview = [[f"[{c.claim.id}](#{c.claim.id.lower()})", c.claim.statement, _bold(c.verdict)] for c in claims]
    parts = [
        f"# Claims, judged on {name}",
        f"These verdicts apply to {name} only. [docs/claims.md](../../docs/claims.md) explains how they are computed.",
        markdown_grid(overview, ["claim", "statement", "verdict"]),
    ]
    for claim in claims:
        parts += _section(claim, name)
    parts += ["## Figures"]
    drawn = {figure.name: f"[{figure.name}](shown/{figure.name}.png): {figure.caption}" for figure in figures}
    for figure in dict.fromkeys([*catalogue.known_figures("verdicts"), *drawn]):
        parts.append(f"- {drawn.get(figure, f'{figure}: not drawn, because the runs for it are missing.')}")
    return "\n\n".join(parts).replace("\n\n- ", "\n- ").replace("|\n- ", "|\n\n- ") + "\n"


def _section(claim: ClaimVerdict, name: str) -> list[str]:
    stated = claim.claim
    parts = [f"## {stated.id}", stated.statement, f"*{claim.reference}; {stated.source}.*"]
    if stated.without_test:
        return [*parts, f"**Not tested.** {stated.without_test}"]
    header = ["test", f"verdict on {name}", "estimate", "95 % interval", "p (Holm)", "n", "paper"]
    return [
        *parts,
        f"Prediction: {stated.prediction}",
        markdown_grid([_row(test) for test in claim.tests], header),
        *(f"- `{test.test.id}`: {_remark(test)}" for test in claim.tests if _remark(test)),
        *(f"- `{t.test.id}`: the paper's value is from {t.test.paper_where}." for t in claim.tests if t.paper),
    ]


def _row(test: TestVerdict) -> list[str]:
    about = f"{'primary: ' if test.test.primary else ''}{test.test.about} (`{test.test.id}`)"
    estimate = f"{test.estimate} {test.unit}".strip()
    n = test.n if test.counts_seeds else f"{test.n} {test.replicates}"
    return [about, _bold(test.verdict), estimate, test.interval, test.p, n, test.paper]


def _remark(test: TestVerdict) -> str:
    return test.reason if test.is_tested else f"not tested: {test.reason} Test it with `{test.command}`."


def _bold(word: str) -> str:
    return f"**{word}**" if word in (SUPPORTED, CONTRADICTED) else word
