"""The command line: every rule of the workflow is one of these commands, and a person can type each of them.

One file is one group of ``lowparam --help``. A command parses its arguments and calls the package; libraries that are
slow to import are imported inside the commands that need them.
"""

from lowparam.cli import settings, data, train, profile, report, deploy, study, manage, develop  # noqa: I001 (the order of help)
from lowparam.cli._app import app

__all__ = ["app", "data", "deploy", "develop", "manage", "profile", "report", "settings", "study", "train"]
