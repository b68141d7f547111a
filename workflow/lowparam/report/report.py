"""Write everything for reading about an experiment or a study."""

from lowparam import catalogue
from lowparam.params import Params
from lowparam.report.pages.html_page import write_page
from lowparam.report.verdicts.write import write_verdicts
from lowparam.report.write import write_figures, write_tables

__all__ = ["write_report"]


def write_report(params: Params, name: str) -> None:
    """Write the files that `lowparam.catalogue.report_files` lists: tables, figures, verdicts and the page.

    Parameters
    ----------
    params : Params
        All settings.
    name : str
        An experiment or a study.

    Raises
    ------
    LowparamError
        If there are no results of that name.
    """
    write_tables(params, name)
    write_figures(params, name)
    if catalogue.is_judged(params.experiments.get(name, name)):
        write_verdicts(params, name)
        write_page(params, name)
