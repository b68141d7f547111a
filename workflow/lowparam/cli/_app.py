"""The application that the groups of commands register with, and what they share."""

import getpass
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.files import FULL
from lowparam.params import Params, Scale
from lowparam.terminal import write_what_the_encoding_has

__all__ = [
    "Device",
    "Experiment",
    "Network",
    "Pretrained",
    "Scales",
    "Subject",
    "Weights",
    "app",
    "command",
    "find_scales",
    "show",
]


UsageError: type[Any] = typer.BadParameter.__bases__[0]
"""What typer raises for arguments that a command does not take; its module depends on typer's version."""


class Commands(TyperGroup):
    """The commands as a program: arguments that are wrong end in one line, on a terminal with few letters too."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run the command line."""
        write_what_the_encoding_has()
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(given, *rest, standalone_mode=False, **options)
        except UsageError as error:
            help_page = f"{error.ctx.command_path if error.ctx else 'lowparam'} --help"
            print(f"lowparam: {_sentence(error.format_message())}; see {help_page}", file=sys.stderr)
            code = error.exit_code
        except typer.Abort:
            code = 1
        except OSError as error:
            if error.errno not in FULL:
                raise
            print(f"lowparam: cannot write: {error.strerror}; the output, or a file, has no room", file=sys.stderr)
            try:
                sys.stdout.flush()
            except OSError:  # what waits in it would fail again at the end, with a traceback
                sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            code = 1
        return sys.exit(code) if standalone_mode else code


def _sentence(message: str) -> str:
    """Return a message of typer as part of a line: lower case, without a full stop."""
    words = " ".join(message.split()).removesuffix(".")
    return words[:1].lower() + words[1:]


app = typer.Typer(
    cls=Commands,
    help="Train, profile and compare low-parameter vision networks. Reads params.yaml in the current folder.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Experiment = Annotated[str, typer.Argument(help="Name of an experiment in params.yaml.")]
Subject = Annotated[str, typer.Argument(help="Name of an experiment in params.yaml, or of a study such as star.")]
Scales = Annotated[list[str], typer.Argument(help="Scales of the experiment, such as mobilenetv2-none-25k.")]
Network = Annotated[
    str, typer.Argument(metavar="RUN", help="Folder of a trained run, its model.safetensors, or a network of timm.")
]
Weights = Annotated[Path | None, typer.Option(help="Weights of a network of timm, a safetensors file.")]
Pretrained = Annotated[bool, typer.Option("--pretrained", help="Its weights from the Hugging Face hub.")]


def find_device(name: str | None) -> str | None:
    """Check the name of a device before anything is read or built.

    Raises
    ------
    typer.BadParameter
        If it is not the name of a device, or this machine has no such GPU.
    """
    if name is None or name == "cpu":
        return name
    if not (found := re.fullmatch(r"cuda(?::(\d+))?", name)):
        raise typer.BadParameter(f"{name!r} is no device; write cpu, cuda or cuda:0")
    import torch  # here, because few commands need it

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(found[1] or 0) >= count:
        raise typer.BadParameter(f"{name} is not here: PyTorch sees {count or 'no'} GPU{'s' * (count > 1)}")
    return name


Device = Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda if there is one.", callback=find_device)]


def command(group: str, name: str | None = None, **options: Any) -> Callable[[Callable], Callable]:
    """Register a command in a group of ``lowparam --help``; what a user got wrong is one line."""

    def register(function: Callable) -> Callable:
        @app.command(name, rich_help_panel=group, **options)
        @wraps(function)
        def guarded(*arguments: Any, **given: Any) -> Any:
            complete_environment()
            try:
                return function(*arguments, **given)
            except LowparamError as error:
                print(f"lowparam: {error}", file=sys.stderr)
                raise typer.Exit(1) from None
            except OSError as error:
                if error.filename is None or isinstance(error, BrokenPipeError):  # not of a file that somebody named
                    raise
                print(f"lowparam: cannot use {error.filename}: {error.strerror}", file=sys.stderr)
                raise typer.Exit(1) from None
            except (MemoryError, RuntimeError) as error:
                if not isinstance(error, MemoryError) and not re.search(r"allocate|out of memory", str(error)):
                    raise
                why = (str(error).strip() or "this system has less than is needed").splitlines()[0]
                print(f"lowparam: not enough memory: {why}", file=sys.stderr)
                raise typer.Exit(1) from None

        return guarded

    return register


def complete_environment() -> None:
    """Give a user whom the system does not know, as in a container, the name and home that Snakemake and DVC need."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"user{os.getuid()}"
    try:
        Path.home()
    except (KeyError, RuntimeError):
        os.environ["HOME"] = tempfile.gettempdir()


def show(table: Any) -> None:
    """Print a table, a DataFrame or a list of dictionaries, numbers with thousands separated."""
    from tabulate import tabulate

    rows: Iterable[Mapping[str, Any]] = table
    print(tabulate(rows, headers="keys", showindex=False, intfmt=",", missingval=""))


def find_scales(params: Params, experiment: str, names: list[str]) -> list[Scale]:
    """Find scales of an experiment by name.

    Raises
    ------
    LowparamError
        If the experiment has no scale of that name; the message offers the nearest.
    """
    known = {scale.name: scale for scale in params.scales(experiment)}
    return [registry.get(name, known, f"scale of {experiment}") for name in names]
