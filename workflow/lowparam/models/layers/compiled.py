"""Build and find the compiled layers: ``compiled.cpp`` as a library of operators for torch, one for each processor.

They are optional. The first training, or `lowparam build`, compiles them into the cache of the user, where the name of
the file tells for which source, torch and processor it is. Without a compiler, or with ``LOWPARAM_COMPILED=0``,
everything runs without them, with the same results up to rounding.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock

from lowparam import files
from lowparam.errors import LowparamError

__all__ = ["build", "build_once", "find_compiler", "is_built", "library", "loaded", "try_again"]

SOURCE = Path(__file__).with_name("compiled.cpp")
# NaN and inf must stay what they are, because divergence is found by them: no -ffast-math.
FLAGS = "-std=c++20 -O3 -march=native -fopenmp-simd -fno-math-errno -fno-trapping-math -fno-signed-zeros"


def library() -> Path:
    """Return the file of the compiled layers for this source, torch and processor, whether it exists or not."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parts = [SOURCE.read_text(encoding="utf-8"), FLAGS, torch.__version__, _processor()]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_folder / "lowparam" / f"layers-{key}.so"


def is_built() -> bool:
    """Return whether the compiled layers of this source exist for this torch and processor."""
    return library().is_file()


def find_compiler() -> str | None:
    """Return the C++ compiler: the one that ``CXX`` names, else the first that is installed; None if there is none."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    return next((name for name in names if shutil.which(shlex.split(name)[0])), None)


def build(*extra: str) -> Path:
    """Compile the layers, which takes about a minute, and return the library; it appears complete or not at all.

    Parameters
    ----------
    *extra : str
        Further options of the compiler.

    Raises
    ------
    LowparamError
        If there is no compiler, or it reports an error.
    """
    from torch.utils import cpp_extension  # slow to import, so only here

    compiler = find_compiler()
    if compiler is None:
        raise LowparamError("no C++ compiler is installed (c++, g++ or clang++, or the one that CXX names)")
    include = [f"-isystem{path}" for path in cpp_extension.include_paths()]
    folders = cpp_extension.library_paths()
    link = [option for folder in folders for option in (f"-L{folder}", f"-Wl,-rpath,{folder}")]
    target = library()
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic(target) as temporary:
        command = [*shlex.split(compiler), *FLAGS.split(), *extra, "-fPIC", "-shared", *include, str(SOURCE)]
        command += ["-o", str(temporary), *link, "-ltorch_cpu", "-lc10"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
            raise LowparamError(f"{compiler} cannot compile {SOURCE.name}: {lines[0]}")
    return target


def build_once() -> bool:
    """Build the compiled layers unless they are there; return whether they are.

    Of several processes one builds and the others wait. A failure is told once, and remembered next to the library.
    """
    target = library()
    failure = target.with_suffix(".failed")
    if target.is_file() or failure.is_file():
        return target.is_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not target.is_file() and not failure.is_file():
                _build_or_tell(failure)
    except OSError as error:
        _tell(f"cannot write {error.filename or target.parent}: {error.strerror or error}")
    return target.is_file()


def _build_or_tell(failure: Path) -> None:
    try:
        if find_compiler() is not None:
            print("compiling layers for this processor, once; it takes about a minute", file=sys.stderr, flush=True)
        build()
    except LowparamError as error:
        files.write_text(failure, f"{error}\n")
        _tell(str(error))


def _tell(why: str) -> None:
    consequence = "networks train without compiled layers, which is slower (to try again: lowparam build)"
    print(f"{why}; {consequence}", file=sys.stderr, flush=True)


def try_again() -> None:
    """Forget that building has failed."""
    library().with_suffix(".failed").unlink(missing_ok=True)


@cache
def loaded() -> str | None:
    """Load the compiled layers, once, after building them if need be; return which they are.

    None if they are switched off or cannot be built.
    """
    if os.environ.get("LOWPARAM_COMPILED", "1") == "0" or not build_once():
        return None
    torch.ops.load_library(str(library()))
    return library().stem.removeprefix("layers-")


def _processor() -> str:
    """Return what this processor can compute: -march=native is for it alone."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    abilities = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return "\n".join([platform.machine(), platform.system(), *dict.fromkeys(abilities)])
