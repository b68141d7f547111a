"""Read and write files; a written file is complete or absent."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lowparam.errors import LowparamError

__all__ = ["atomic", "read_csv", "read_json", "read_yaml", "write_csv", "write_json", "write_text"]

if TYPE_CHECKING:
    import pandas as pd

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C and seven times as fast, if available


@contextmanager
def atomic(path: Path | str) -> Generator[Path]:
    """Yield a temporary path next to `path`; move it there when the block ends without an error.

    The temporary file keeps the suffix of `path`, because some writers choose their format by it. The file that remains
    may be read by whom the umask lets read: safetensors would keep it from everyone else.

    Raises
    ------
    LowparamError
        If the folder cannot be written or the disk is full; `path` keeps its old content.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode  # what the umask leaves, which only setting it would tell otherwise
        temporary.unlink()
        yield temporary
        temporary.chmod(mode)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise LowparamError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` in one step."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path | str, table: "pd.DataFrame") -> None:
    """Write a table without its index, with six significant digits and the same line ends on every system."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON with a final newline, so that it reads well in a diff."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read JSON.

    Raises
    ------
    LowparamError
        If the file is missing or is not valid JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist") from error
    except ValueError as error:
        raise LowparamError(f"{path} is not valid JSON ({error}); delete it and run again") from error


def read_csv(path: Path | str) -> "pd.DataFrame":
    """Read a table; an empty cell is missing, and nothing else is: a class may be called NA.

    Raises
    ------
    LowparamError
        If the file is missing, empty, or not a table.
    """
    import pandas as pd  # here, because most readers of this module need no tables

    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist") from error
    except ValueError as error:
        raise LowparamError(
            f"{path} is not a table ({' '.join(str(error).split())}); delete it and run again"
        ) from error


def read_yaml(path: Path | str, *, missing: str) -> Any:
    """Read YAML; `missing` is the advice if there is no such file.

    Raises
    ------
    LowparamError
        If the file is missing or is not valid YAML.
    """
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist; {missing}") from error
    except yaml.YAMLError as error:
        raise LowparamError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
