"""Which source files a result depends on, read off the imports themselves.

The rules take these files as inputs and every run records their hash, so a result is made anew when, and only when,
code that it went through has changed.
"""

import ast
import difflib
import hashlib
from functools import cache
from pathlib import Path

from lowparam.errors import LowparamError

__all__ = ["code_sha256", "sources"]

PACKAGE = Path(__file__).parent

ENTRIES = {
    "build": "models/__init__.py",
    "prepare": "data/prepare.py",
    "baseline": "training/baseline.py",
    "train": "training/train_scale.py",
    "stream": "training/distributed.py",
    "profile": "interference/profile.py",
    "collect": "collect.py",
    "claims": "report/claims.py",
    "page": "report/page.py",
    "tables": "report/write.py",
    "figures": "report/write.py",
    "toy_absolute": "studies/toy/absolute.py",
    "toy_geometry": "studies/toy/geometry.py",
    "toy_phase": "studies/toy/phase.py",
    "toy_report": "report/write.py",
    "star_dimension": "studies/star/dimension.py",
    "star_moons": "studies/star/moons.py",
    "bilinear": "studies/star/bilinear.py",
    "star_report": "report/write.py",
}

# How settings are read, files are written and errors are worded changes no result. What the settings say does, and
# that stands in the parameters of the rules.
WITHOUT_EFFECT = {"__init__.py", "errors.py", "files.py", "params.py", "provenance.py"}


def sources(
    verb: str, *, architecture: str | None = None, source: str | None = None, files: tuple[str, ...] = ()
) -> list[Path]:
    """List the files of this package that a command runs through, relative to the package's folder, sorted.

    Parameters
    ----------
    verb : str
        A command of the pipeline: prepare, baseline, train, profile, collect, tables or figures.
    architecture : str or None
        Adds the one block file that the architecture is in; the other blocks have no effect on it.
    source : str or None
        Adds the one file that reads the data set.
    files : tuple of str
        Adds more files, relative to the package, such as those of the tables of an experiment.

    Raises
    ------
    LowparamError
        If the architecture or the source has no file.
    """
    found = set(_reached(ENTRIES[verb]))
    if architecture is not None:
        timm = architecture.startswith("timm:")
        found |= set(_reached("models/timm_adapter.py" if timm else _block(architecture)))
    if source is not None:
        found |= set(_reached(f"data/sources/{source}.py"))
    for file in files:
        found |= set(_reached(file))
    return [Path(file) for file in sorted(found - WITHOUT_EFFECT)]


@cache
def code_sha256(verb: str, *, architecture: str | None = None, source: str | None = None) -> str:
    """Hash the names and contents of `sources`."""
    digest = hashlib.sha256()
    for file in sources(verb, architecture=architecture, source=source):
        content = (PACKAGE / file).read_bytes()
        digest.update(f"{file.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _block(architecture: str) -> str:
    """The file of an architecture is named by what stands before the first underscore."""
    file = f"models/blocks/{architecture.split('_')[0]}.py"
    if not (PACKAGE / file).is_file():
        known = sorted(path.stem for path in (PACKAGE / "models/blocks").glob("[!_]*.py"))
        near = difflib.get_close_matches(Path(file).stem, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is no {file}"
        raise LowparamError(f"unknown architecture {architecture!r}: {hint}")
    return file


@cache
def _reached(entry: str) -> frozenset[str]:
    """Follow the imports inside this package from one file."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += _imports(file)
    return frozenset(found)


@cache
def _imports(file: str) -> list[str]:
    path = PACKAGE / file
    if not path.exists():
        raise LowparamError(f"{file} does not exist in {PACKAGE}: nothing has that name")
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lowparam"):
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names if alias.name.startswith("lowparam")]
    return [file for module in modules for file in _files(module)]


def _files(module: str) -> list[str]:
    """Find the file of a module, with the `__init__.py` of every package above it that is read on the way."""
    parts = module.split(".")[1:]
    packages = ["/".join([*parts[:depth], "__init__.py"]) for depth in range(1, len(parts) + 1)]
    return [file for file in [*packages, "/".join(parts) + ".py"] if (PACKAGE / file).is_file()]
