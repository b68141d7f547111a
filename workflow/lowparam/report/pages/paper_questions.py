"""The results in the paper, question by question: the headings of docs/results.md that ask about claims.

What people wrote below them stays on that page; here each claim gets its prediction and its verdicts, and each question
the figure that it has there.
"""

import os
import re
from pathlib import Path

from lowparam import paths
from lowparam.claims.registry import Claim, Registry
from lowparam.files import read_text
from lowparam.params import Params
from lowparam.report.escape import latex
from lowparam.report.pages.answers import ANSWER, Judgement, blocks, caption_of, figure_of, stated_verdicts

__all__ = ["questions"]

PAGE = Path("docs/results.md")


def questions(params: Params, registry: Registry, judged: list[Judgement], folder: Path) -> str:
    """Return a subsection for each question of `PAGE`, and one for the claims that none is about, as LaTeX.

    Parameters
    ----------
    params, registry, judged
        All settings, the claims, and their tests on all experiments and studies.
    folder : Path
        Where LaTeX runs, so that it finds the figures.
    """
    known = {claim.id: claim for claim in registry.claims}
    written, others = [], list(registry.claims)
    for section in re.split(r"^## ", read_text(PAGE, missing=""), flags=re.MULTILINE)[1:]:
        words = [word for name in blocks(section) if name.startswith(f"{ANSWER} ") for word in name.split()[1:]]
        if not words:
            continue
        asked = [known[name] for name in dict.fromkeys(word.partition(".")[0] for word in words)]
        found = [one for one in judged if one.claim in asked and one.test.test.primary and one.is_tested]
        others = [claim for claim in others if claim not in asked]
        written.append(rf"\subsection{{{latex(section.partition(chr(10))[0])}}}")
        written += [_answer(claim, [one for one in found if one.claim == claim]) for claim in asked]
        if shown := next(
            filter(None, (figure_of([one for one in found if one.claim == claim]) for claim in asked)), None
        ):
            written.append(_figure(params, shown, folder))
    if others:
        written += [r"\subsection{Other claims}", *(_answer(claim, []) for claim in others)]
    return "\n\n".join([*written, ""])


def _answer(claim: Claim, found: list[Judgement]) -> str:
    """Return a claim with its prediction and verdicts, as a paragraph."""
    if not claim.tests:
        return rf"\paragraph{{{claim.id}.}} {latex(claim.statement)} \emph{{No test}}: {latex(claim.without_test)}"
    outcome = stated_verdicts(found) or "not tested"
    return (
        rf"\paragraph{{{claim.id}.}} {latex(claim.statement)} \emph{{Predicted}}: {latex(claim.prediction)} "
        rf"\emph{{Verdict}}: {latex(outcome)}."
    )


def _figure(params: Params, shown: Judgement, folder: Path) -> str:
    """Return the figure of a test on an experiment, sharp where it was drawn here, else as git has it."""
    name, figure = shown.subject.name, shown.test.test.shown_in
    drawn = paths.figures(name) / f"{figure}.pdf"
    file = drawn if drawn.exists() else paths.shown(name) / f"{figure}.png"
    caption = f"{caption_of(params, name, figure)} Experiment: {shown.subject.place}."
    return "\n".join(
        [
            rf"Figure~\ref{{fig:{name}-{figure}}} shows what {shown.claim.id} is about.",
            r"\begin{figure}",
            r"  \centering",
            rf"  \fitted{{{Path(os.path.relpath(file, folder)).as_posix()}}}",
            rf"  \caption{{{latex(caption)}}}",
            rf"  \label{{fig:{name}-{figure}}}",
            r"\end{figure}",
        ]
    )
