"""Read and write files; a written file is complete or absent."""

import codecs
import errno
import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from ruamel.yaml import YAML, MappingNode, Node
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.reader import ReaderError

from lowparam import paths
from lowparam.errors import LowparamError

__all__ = [
    "FULL",
    "as_written",
    "atomic",
    "content_sha256",
    "format_yaml",
    "parse_yaml",
    "read_csv",
    "read_json",
    "read_quietly",
    "read_text",
    "read_yaml",
    "remove_unfinished",
    "seal",
    "sha256",
    "write_csv",
    "write_json",
    "write_text",
]

if TYPE_CHECKING:
    import pandas as pd

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says where it has no room left, or a limit on files is reached."""
NO_ROOM = FULL | {errno.EIO}
"""The same, and what it says of a broken disk."""


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
    except Exception as error:
        if (reason := _no_room(error)) is None:
            raise
        raise LowparamError(f"cannot write {path}: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _no_room(error: BaseException | None) -> str | None:
    """Say in the system's words that it had no room, if that is behind an error; None if it is not.

    safetensors has an error of its own around that of the system, and matplotlib fails again while it cleans up.
    """
    if error is None or isinstance(error, LowparamError):
        return None
    told = re.search(r"\(os error (\d+)\)$", str(error))
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    return os.strerror(number) if number in NO_ROOM else _no_room(error.__cause__ or error.__context__)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of `atomic` below a folder whose process was killed while it wrote them."""
    for path in folder.rglob(".*"):
        process = re.fullmatch(r"\..+\.(\d+)(\.\w+)?", path.name)
        if process and path.is_file() and not psutil.pid_exists(int(process[1])):
            path.unlink(missing_ok=True)


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
        If the file is missing or is not valid JSON, or, of results, is something else than its name says.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (ValueError, RecursionError) as error:
        raise LowparamError(f"{path} is not valid JSON ({error}); {paths.remedy(path)}") from error
    _check_keys(path, value if isinstance(value, dict) else ())
    return value


def read_quietly(path: Path | str) -> dict[str, Any]:
    """Read a JSON mapping that may be missing or, after a crash, cut off; it is empty then."""
    try:
        value = read_json(path)
    except LowparamError:
        return {}
    return value if isinstance(value, dict) else {}


def _check_keys(path: Path | str, there: Iterable[str]) -> None:
    """Refuse a file of results that was cut off or overwritten, where it is read and not where it is used."""
    missing = [key for key in paths.keys_of(path) if key not in there]
    if missing:
        raise LowparamError(f"{path} has no {missing[0]}, so it is damaged; {paths.remedy(path)}")


def read_csv(path: Path | str) -> "pd.DataFrame":
    """Read a table; an empty cell is missing, and nothing else is: a class may be called NA.

    Raises
    ------
    LowparamError
        If the file is missing, empty, or not a table; or, of results, is cut off or something else than its name says.
    """
    import pandas as pd  # here, because most readers of this module need no tables

    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise _missing(path) from error
    except ValueError as error:
        raise LowparamError(f"{path} is not a table ({' '.join(str(error).split())}); {paths.remedy(path)}") from error
    if keys := paths.keys_of(path):
        _check_keys(path, table.columns)
        if table.empty or not _ends_with_a_line(path):
            state = "has no rows" if table.empty else "ends in the middle of a row"
            raise LowparamError(f"{path} {state}, so it is damaged; {paths.remedy(path)}")
        if "value" in keys and not pd.api.types.is_numeric_dtype(table["value"]):
            raise LowparamError(f"{path} has values that are no numbers, so it is damaged; {paths.remedy(path)}")
    return table


def _ends_with_a_line(path: Path | str) -> bool:
    """Whether the last byte of a file ends a line, as in all files that we write."""
    with Path(path).open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in (b"\n", b"\r")


def _missing(path: Path | str) -> LowparamError:
    command = paths.command_for(path)
    return LowparamError(f"{path} does not exist" + (f"; run: {command}" if command else ""))


def read_text(path: Path | str, *, missing: str) -> str:
    """Read text that somebody wrote in an editor: UTF-8, with or without a byte order mark.

    Raises
    ------
    LowparamError
        If there is no such file, with the advice `missing`; if it cannot be read or is in another encoding.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise LowparamError(f"{path} does not exist" + (f"; {missing}" if missing else "")) from error
    except OSError as error:
        raise LowparamError(f"cannot read {path}: {error.strerror or error}") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise LowparamError(f"{path} is UTF-16 or UTF-32; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = content[error.start]
        raise LowparamError(f"{path} is not UTF-8 (byte 0x{byte:02x} in line {line}); save it as UTF-8") from error


def read_yaml(path: Path | str, *, missing: str) -> Any:
    """Read YAML 1.2, as DVC does: ``1e-5`` is a number, ``yes`` and ``on`` are text; `missing` as in `read_text`.

    Raises
    ------
    LowparamError
        If the file cannot be read, is not valid YAML, or has a key twice; the message names the lines.
    """
    return parse_yaml(read_text(path, missing=missing), str(path))


def parse_yaml(text: str, path: str = "text") -> Any:
    """Return the values of YAML text that was read from `path`; errors are those of `read_yaml`."""
    if other := re.match(r"(\s*(#.*)?\n)*%YAML[ \t]+(1\.[01])\b", text):
        raise LowparamError(f"{path} is read as YAML 1.2; take out the line %YAML {other[3]}, by which 010 would be 8")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ReusedAnchorWarning)  # of two anchors the later one would win
            return _yaml().load(text)
    except ReusedAnchorWarning as error:
        name, first, second = re.findall(r"(?<=anchor ')[^']*|(?<=line )\d+(?=, column)", str(error))[:3]
        raise LowparamError(
            f"{path}: the anchor &{name} is in line {first} and again in line {second}; rename one of them"
        ) from error
    except DuplicateKeyError as error:
        raise LowparamError(f"{path}: {_say_twice(text, error)}") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise LowparamError(f"{path}{where}: not valid YAML: {_problem(error)}") from error
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        character = ord(error.character) if isinstance(error.character, str) else error.character
        raise LowparamError(f"{path}, line {line}: YAML forbids the character U+{character:04X}; delete it") from error
    except (YAMLError, ValueError) as error:  # such as a date that does not exist
        raise LowparamError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise LowparamError(f"{path} is nested too deeply; a bracket may not be closed") from error


def _problem(error: MarkedYAMLError) -> str:
    """Return in words what is wrong; ruamel names a tag that it does not know, and calls << and = tags, too."""
    problem = " ".join(str(error.problem).split())
    tag = re.search(r"constructor for the tag '(.*)'", problem)
    if not tag:
        return problem
    sign = {"tag:yaml.org,2002:merge": "<<", "tag:yaml.org,2002:value": "="}.get(tag[1])
    return f"{sign} alone means something; quote it" if sign else f"the tag {tag[1]} is unknown here; take it out"


def format_yaml(content: Any) -> str:
    """Write plain values as YAML 1.2 the way people do: lists indented, and what occurs twice in full."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.representer.ignore_aliases = lambda data: True
    yaml.dump(content, stream)
    return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def as_written(text: str, place: Sequence[str], value: Any) -> str | None:
    """Return how a value that is no text was written in YAML: ``1e3``, where `value` is 1000.0.

    Parameters
    ----------
    text : str
        The file, which is valid YAML.
    place : sequence of str
        Keys and places in lists that lead to the value, or to the name that is the value; where defaults or anchors
        brought it there, of all equal ones that whose place ends most alike counts.
    value : Any
        What was read.

    Returns
    -------
    str or None
        None if there is no such value, as where it came from elsewhere.
    """
    found: list[tuple[int, str]] = []
    nodes: list[tuple[tuple[str, ...], Node]] = [((), _yaml().compose(text))]
    seen: set[tuple[tuple[str, ...], int]] = set()
    while nodes:
        at, node = nodes.pop(0)
        if (at, id(node)) in seen or len(at) > len(place) + 1:  # an anchor that is used again, perhaps inside itself
            continue
        seen.add((at, id(node)))
        if isinstance(node, MappingNode):
            nodes += [((*at, _word(key)), part) for key, inner in node.value for part in (key, inner)]
        elif isinstance(node.value, list):
            nodes += [((*at, str(number)), inner) for number, inner in enumerate(node.value)]
        elif node.style is None and repr(_scalar(node)) == repr(value):  # nan is not equal to itself
            found.append((_alike(at, place), node.value))
    return max(found, key=lambda each: each[0])[1] or None if found else None


def _scalar(node: Node) -> Any:
    """Return what YAML reads a scalar without quotes as."""
    try:
        return parse_yaml(node.value)
    except LowparamError:  # << and =, which mean something where they are alone
        return node.value


def _word(key: Node) -> str:
    """Return a key as text, as it is after reading."""
    return str(_scalar(key) if isinstance(key.value, str) and key.style is None else key.value)


def _alike(at: Sequence[str], place: Sequence[str]) -> int:
    """Count the keys at the end of two paths that are the same."""
    pairs = zip(reversed(at), reversed(place), strict=False)
    return next((count for count, (one, other) in enumerate(pairs) if one != other), min(len(at), len(place)))


def _say_twice(text: str, error: DuplicateKeyError) -> str:
    """Name the key that a mapping has twice, with both lines; the error knows the second alone."""
    second = error.problem_mark
    nodes: list[Node] = [_yaml().compose(text)]
    seen: set[int] = set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:  # an anchor that is used again, perhaps inside itself
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line
                if (line, key.start_mark.column) == (second.line, second.column) and key.value in lines:
                    return (
                        f"{key.value} is in line {lines[key.value] + 1} and again in line {line + 1}; keep one of them"
                    )
                lines.setdefault(str(key.value), line)
                nodes.append(value)
        elif isinstance(node.value, list):
            nodes += node.value
    return f"line {second.line + 1}: {' '.join(str(error.problem).split())}"


def content_sha256(content: Any) -> str:
    """Return the SHA-256 of a value as JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def seal(content: Mapping[str, Any], key: str = "sha256") -> dict[str, Any]:
    """Add the hash of all else under a key, so that an edit is found: what was not edited equals its seal."""
    rest = {name: value for name, value in content.items() if name != key}
    return {**rest, key: content_sha256(rest)}


def sha256(path: Path | str) -> str:
    """Hash the content of a file; return a hexadecimal number."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
