"""Keep Snakemake from looking at all steps more and more often.

Snakemake limits how many jobs start a second, by default. To that end each look at the open steps sets a timer for
another one a second later, and each step that ends gives one more look: after 200 steps it looks 200 times a second,
which took a third of a core from the trainings (Snakemake 9.27). Processes of this machine need no such limit.
"""

from typing import Any

__all__ = ["remove"]


def remove(workflow: Any) -> None:
    """Start jobs of this machine without a limit of the rate; to be called when a workflow starts.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        One that is submitted to a cluster keeps its limit, ``--max-jobs-per-timespan``.
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
