"""Identify code by what it means: the hash of all definitions that a result depends on.

A result depends on a function, on the definitions that this function names, on those that these name, and so on. Two
versions of the code get the same digest if those definitions are the same but for comments, docstrings, formatting,
annotations of functions, the wording of errors and messages, the names of functions, classes and modules, and the file
that each is in. What is not reached does not count. So a rename, a new block or a comment makes nothing stale, and a
changed multiplication makes stale exactly the runs that multiply there.

What is chosen by name while running (the block, its parts, the probe, a loss) cannot be seen in the source. It is
looked up through `lowparam.registry`, which is not followed, and is given to `digest` by the caller.

The digests are computed from the source without importing it, because the Snakefile needs them at every start.
``lowparam run`` keeps them for the next one (`keep`).
"""

import ast
import copy
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lowparam import architectures, paths, registry
from lowparam.errors import LowparamError
from lowparam.files import read_quietly, write_json
from lowparam.interference import measures
from lowparam.params import Profile, Recipe

__all__ = [
    "ENTRIES",
    "PACKAGE",
    "SAME_RESULTS",
    "digest",
    "keep",
    "of_kinds",
    "of_measures",
    "of_network",
    "of_recipe",
    "of_source",
    "reached",
]

PACKAGE = Path(__file__).parent

ENTRIES = {
    "prepare": "data/prepare.py:prepare",
    "baseline": "training/baseline.py:fit_baseline",
    "tune": "training/tune.py:tune",
    "train": "training/train_scale.py:train_scale",
    "train_on_disk": "training/distributed.py:train_streamed",
    "baseline_known": "training/baseline_known.py:fit_known_baseline",
    "tune_known": "training/tune_known.py:tune_known",
    "profile_known": "interference/profile_known.py:profile_known",
    "train_known": "training/train_known.py:train_known",
    "profile": "interference/profile_scale.py:profile_scale",
    "deploy": "deploy/measure.py:measure_scale",
    "collect": "collect.py:collect",
    "bilinear": "studies/star/bilinear.py:write_bilinear",
    "report": "report/report.py:write_report",
    "overview": "report/verdicts/overview.py:write_overview",
}
"""Where the code of a phase begins."""

WITHOUT_EFFECT = {
    "architectures",
    "catalogue",
    "engine",
    "errors",
    "files",
    "params",
    "paths",
    "prepared_data",
    "provenance",
    "registry",
    "runs",
    "terminal",
    "waiting",
}
WITHOUT_EFFECT |= {"models.counts", "models.layers.compiled", "models.layers.fused", "training.malloc", "__version__"}
"""What changes no result, as seen from the package: how settings are read, files written, errors worded, things found,
waits shown.

The values of settings do change results; it is in the specification of a run. The compiled layers change
rounding alone; ``VERSION`` in models/layers/fast.py is for changes of more.
"""

_CHOSEN = """{
    "chosen": chosen,
    "at_edge": edges(chosen, tried),
    "added": {key: values for key, values in added.items() if values},
    "check": _check(params, scale, trials, chosen, tried),
    "trials": trials.rows,
}"""

SAME_RESULTS = {
    # A loss without a value, as of a network that overflows where it is evaluated, ranks last. It could not be ranked.
    "training/tune.py:_mean": {
        "sum(math.inf if row[column] is None else row[column] for row in rows)": "sum(row[column] for row in rows)",
    },
    # A list of which nothing trains is extended downwards, and a choice that does not train at the largest budget gives
    # way: cases without a choice that trains.
    "training/tune.py:choose": {
        "_downwards(params, scale, candidates, tried, added) or _extension(params, scale, chosen, tried, added)": (
            "_extension(params, scale, chosen, tried, added)"
        ),
        f"_that_trains({_CHOSEN}, tried)": _CHOSEN,
    },
    # Losses that read feature maps are made for a network; the others are made as before.
    "training/loop.py:Training": {"losses.make_for(recipe, net)": "losses.make(recipe)"},
}
"""Expressions that were changed without a change of any result, by definition: what stands there now, and what is
hashed in its place.

It is for a new case that could not be had, or that stopped with an error; whatever gave a result has to give the same
bits. Without an entry, each result that depends on the definition would have to be made anew. Each needs the reason,
and a test that what is there now gives the former result. Drop one when the results are made anew anyway.
"""

EFFECTS = "<module>"
"""The name of statements of a module that run when it is imported and define nothing."""


@dataclass(frozen=True)
class Definition:
    """A function, class or constant at the top of a module, without its name.

    ``text`` is its syntax tree with a mark in place of each reference to another definition of this package;
    ``references`` are those, as (file, name), in the order of the marks.
    """

    text: str
    references: tuple[tuple[str, str], ...]


@dataclass
class Module:
    """The top level of a file: the statements that make each name, and where imported names come from."""

    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


@cache
def digest(*targets: str) -> str:
    """Hash the meaning of all definitions that some targets reach.

    Parameters
    ----------
    *targets : str
        ``"training/loop.py:Training"`` for a definition, ``"models/blocks/nodepth.py:ARCHITECTURES[nodepth_a]"`` for
        one value of a dictionary, ``"models/parts/se.py"`` for everything in a file. Paths are relative to the package.

    Returns
    -------
    str
        A sha256 in hexadecimal.

    Raises
    ------
    LowparamError
        If there is no such file or no such name in it.
    """
    key = " ".join(targets)
    if key not in _kept():
        _kept()[key] = _digest(*targets)
    return _kept()[key]


def keep() -> None:
    """Keep the digests that this process computed, for later starts with the same source."""
    known = {"source": _hash_of_source(), "digests": _kept()}
    if known["digests"] and known != read_quietly(paths.digests()):
        write_json(paths.digests(), known)


@cache
def _kept() -> dict[str, str]:
    """Return digests by their targets: those that were kept, if the source is the same, and those of this process."""
    stored = read_quietly(paths.digests())
    return dict(stored["digests"]) if stored and stored["source"] == _hash_of_source() else {}


@cache
def _hash_of_source() -> str:
    """Hash the text of the package, and the version of Python, whose syntax trees differ."""
    total = hashlib.sha256(sys.version.encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        total.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def _digest(*targets: str) -> str:
    total = hashlib.sha256()
    order = reached(*targets)
    for key in order:
        definition = _definition(*key)
        total.update(definition.text.encode())
        total.update(" ".join(str(order[reference]) for reference in definition.references).encode() + b"\n")
    return total.hexdigest()


def reached(*targets: str) -> dict[tuple[str, str], int]:
    """Return the definitions that some targets reach, as (file, name), each with its place in the order of reaching."""
    order: dict[tuple[str, str], int] = {}
    waiting = [key for target in reversed(targets) for key in reversed(_named(target))]
    while waiting:
        key = waiting.pop()
        if key not in order:
            order[key] = len(order)
            waiting += reversed(_definition(*key).references)
    return order


def of_network(architecture: str, probe: str) -> list[str]:
    """Return the targets of `digest` for what makes an architecture, with its parts, and a probe."""
    if architectures.is_timm(architecture):
        return ["models/timm_adapter.py:build"]
    name, _ = architectures.split(architecture)
    block = _chosen(f"models/blocks/{architectures.block_entry(name)}.py", name)
    parts = [f"models/parts/{part}.py" for part in architectures.part_entries(architecture)]
    family = architectures.probe_entry(probe)
    return [block, *parts, *([f"models/probes/{family}.py"] if family else [])]


def _chosen(file: str, name: str) -> str:
    """Return the target for one block or network: its value in a dictionary of the file, or else the file."""
    for listing in ("ARCHITECTURES", "ABLATIONS", "PUBLISHED"):
        statements = _module(file).statements.get(listing)
        if statements and _value(statements, name) is not None:
            return f"{file}:{listing}[{name}]"
    return file


def of_recipe(recipe: Recipe) -> list[str]:
    """Return the targets of `digest` for what a recipe chooses by name: its loss and its penalties."""
    penalties = [f"training/penalties/{name}.py" for name in sorted(recipe.penalties)]
    return [f"training/losses/{recipe.loss}.py", *penalties]


def of_measures(profile: Profile) -> list[str]:
    """Return the targets of `digest` for the measures of a profile: the default ones and those that it adds.

    What a measure declares (meaning, range, columns of the summary) changes no profile, so only its code counts.
    """
    files = [f"{measures.FOLDER}/{name}.py" for name in measures.names(profile)]
    return [f"{file}:{name}" for file in files for name in ("measure", "Sums") if name in _module(file).statements]


def of_kinds() -> list[str]:
    """Return the targets of `digest` for the kinds of claims, which are found by name."""
    return [f"claims/kinds/{name}.py" for name in registry.entries("claims/kinds")]


def of_source(name: str) -> list[str]:
    """Return the target of `digest` for what reads a data set."""
    return [f"data/sources/{name}.py"]


def _named(target: str) -> list[tuple[str, str]]:
    """Split a target of `digest` into its definitions."""
    file, _, name = target.partition(":")
    statements = _module(file).statements
    if name.partition("[")[0] not in {*statements, ""}:
        raise LowparamError(f"lowparam/{file} has no {name.partition('[')[0]}: nothing is defined by that name")
    return [(file, name)] if name else [(file, each) for each in statements]


@cache
def _module(file: str) -> Module:
    path = PACKAGE / file
    if not path.is_file():
        raise LowparamError(f"lowparam/{file} does not exist: nothing is defined there")
    tree = registry.parse(path)
    module = Module()
    for node in _nested(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module.imports |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                module.imports[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
    for statement in tree.body:
        for name in _made_by(statement, module.statements):
            module.statements.setdefault(name, []).append(statement)
    return module


def _made_by(statement: ast.stmt, known: dict[str, list[ast.stmt]]) -> list[str]:
    """Return the names that a statement at the top of a module defines or changes."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom) or _is_text(statement):
        return []
    if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.If) and {"__name__", "TYPE_CHECKING"} & _words(statement.test):
        return []
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    stored = [node.id for node in names if isinstance(node.ctx, ast.Store)]
    if isinstance(statement, ast.Assign | ast.AnnAssign) and stored:
        return list(dict.fromkeys(stored))
    used = [node.id for node in names if node.id in known]
    return list(dict.fromkeys([*stored, *used])) or [EFFECTS]  # a loop that fills a dictionary, a call that changes one


def _words(node: ast.AST) -> set[str]:
    """Return the names and attributes in an expression."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _nested(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield statements and those inside them; several times as fast as `ast.walk`, which visits expressions, too."""
    waiting: list[ast.AST] = list(statements)
    while waiting:
        statement = waiting.pop()
        yield statement
        for key in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(statement, key, ())


@cache
def _definition(file: str, name: str) -> Definition:
    module = _module(file)
    base, _, key = name.partition("[")
    statements = module.statements[base]
    reader = _Reader(file, base)
    if key and (value := _value(statements, key.removesuffix("]"))) is not None:
        texts = [reader.read(value)]
    else:
        texts = [reader.read(statement) for statement in _as_before(f"{file}:{base}", statements)]
    if EFFECTS in module.statements and base != EFFECTS:
        reader.references.append((file, EFFECTS))
    return Definition("\n".join(texts), tuple(reader.references))


def _as_before(target: str, statements: list[ast.stmt]) -> Sequence[ast.AST]:
    """Put back the expressions of `SAME_RESULTS` into a definition."""
    changed = SAME_RESULTS.get(target, {})
    former = {ast.dump(_expression(now)): _expression(before) for now, before in changed.items()}
    return [_Former(former).visit(copy.deepcopy(each)) for each in statements] if former else statements


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Former(ast.NodeTransformer):
    """Replace expressions, by their dump."""

    def __init__(self, former: dict[str, ast.expr]) -> None:
        self.former = former

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and (before := self.former.get(ast.dump(node))) is not None:
            return before
        return self.generic_visit(node)


def _value(statements: list[ast.stmt], key: str) -> ast.expr | None:
    """Return the value of a key in a dictionary literal; None if it is not one."""
    if len(statements) == 1 and isinstance(statements[0], ast.Assign) and isinstance(statements[0].value, ast.Dict):
        for each, value in zip(statements[0].value.keys, statements[0].value.values, strict=True):
            if isinstance(each, ast.Constant) and each.value == key:
                return value
    return None


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_silent(node: ast.stmt) -> bool:
    """Return whether a statement of a function has no effect on results: text, a message, a declaration of a type."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    if _is_text(node):
        return True
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"


class _Reader:
    """Write a syntax tree as text, without what has no meaning, and collect the references in it."""

    def __init__(self, file: str, name: str) -> None:
        self.file, self.name = file, name
        self.references: list[tuple[str, str]] = []
        self.locals: list[set[str]] = []

    def read(self, node: ast.AST) -> str:
        return self._text(node, top=True)

    def _text(self, node: object, *, top: bool = False) -> str:
        if isinstance(node, list):
            kept = [each for each in node if not (isinstance(each, ast.stmt) and _is_silent(each))]
            return "[" + ",".join([self._text(each) for each in kept]) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._reference(node)
        if type(node) in _PLAIN:
            return self._fields(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return self._function(node, top)
        if isinstance(node, ast.ClassDef):
            head = self._text([*node.bases, *node.keywords, *node.decorator_list])
            body = ",".join(self._member(each) for each in node.body if not _is_text(each))
            return f"class {'' if top else node.name}({head}{body})"
        if isinstance(node, ast.Import | ast.ImportFrom):
            return "import"
        if isinstance(node, ast.Raise):
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            return f"raise({self._text(error)})"
        if isinstance(node, ast.Assert):
            return f"assert({self._text(node.test)})"
        if isinstance(node, ast.AnnAssign) and node.value:
            return f"Assign(targets=[{self._text(node.target)}],value={self._text(node.value)})"
        if isinstance(node, ast.AnnAssign):
            return ""
        if isinstance(node, _COMPREHENSIONS):
            targets = [each.target for each in node.generators]
            self.locals.append(
                {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            )
            text = self._fields(node)
            self.locals.pop()
            return text
        return self._fields(node)

    def _fields(self, node: ast.AST) -> str:
        fields = [f"{key}={self._text(getattr(node, key, None))}" for key in node._fields if key not in _SILENT]
        return f"{type(node).__name__}({','.join(fields)})"

    def _member(self, node: ast.stmt) -> str:
        """Write a statement in the body of a class, where an annotation makes a field."""
        if not isinstance(node, ast.AnnAssign):
            return self._text(node)
        return f"{ast.unparse(node.annotation)} {self._text(node.target)} {self._text(node)}"

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, top: bool) -> str:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        arguments += [each for each in (node.args.vararg, node.args.kwarg) if each]
        around = self._text([*node.args.defaults, *node.args.kw_defaults])  # they are read outside the function
        decorators = "" if isinstance(node, ast.Lambda) else self._text(node.decorator_list)
        self.locals.append({argument.arg for argument in arguments} | set(_stored(node)))
        names = [argument.arg for argument in arguments]
        shape = [len(node.args.posonlyargs), len(node.args.args), len(node.args.kwonlyargs), len(node.args.defaults)]
        shape += [node.args.vararg is not None, node.args.kwarg is not None]
        body = self._text(node.body)
        self.locals.pop()
        name = "" if top or isinstance(node, ast.Lambda) else node.name
        return f"{type(node).__name__} {name}({decorators}{names}{shape}{around}{body})"

    def _reference(self, node: ast.Name | ast.Attribute) -> str:
        """Write a mark for a definition of this package, the full name of one of another package, or a variable."""
        chain: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):  # an attribute of an expression
            assert isinstance(node, ast.Attribute)
            return f"{self._text(node.value)}.{node.attr}"
        name = inner.id
        if any(name in names for names in self.locals):
            return ".".join([name, *chain])
        module = _module(self.file)
        if name in module.statements:
            if name == self.name:
                return ".".join(["<self>", *chain])
            self.references.append((self.file, name))
            return ".".join(["<>", *chain])
        if name not in module.imports:
            return ".".join([name, *chain])  # a builtin
        return self._imported(module.imports[name].split("."), chain)

    def _imported(self, name: list[str], chain: list[str]) -> str:
        """Follow an imported name, and the attributes after it, to a definition or as far as modules go."""
        if name[0] != "lowparam":
            return ".".join([*name, *chain])
        parts = [*name[1:], *chain]
        if {".".join(parts[:length]) for length in range(1, len(parts) + 1)} & WITHOUT_EFFECT:
            return "lowparam"
        for length in range(len(parts), -1, -1):
            file = _file(parts[:length])
            if file is None:
                continue
            rest = parts[length:]
            if not rest:  # the module itself is passed on, and anything in it may be used
                self.references += [(file, each) for each in _module(file).statements]
                return "<module>"
            inside = _module(file)
            if rest[0] in inside.statements:
                self.references.append((file, rest[0]))
                return ".".join(["<>", *rest[1:]])
            if rest[0] in inside.imports:
                return _Moved(self, file)._imported(inside.imports[rest[0]].split("."), rest[1:])
            return ".".join(["lowparam", *parts[:length], *rest])  # made while importing, as by __getattr__
        return ".".join(["lowparam", *parts])


class _Moved(_Reader):
    """A reader that continues in another file, on behalf of the first."""

    def __init__(self, reader: _Reader, file: str) -> None:
        super().__init__(file, "")
        self.references = reader.references


_SILENT = {"ctx", "type_comment", "kind", "returns", "annotation"}
_PLAIN = {ast.Constant, ast.Call, ast.keyword, ast.BinOp, ast.Expr, ast.Assign, ast.Tuple, ast.Subscript}
"""The most frequent kinds that need nothing special; asked first, for speed."""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _file(parts: list[str]) -> str | None:
    """Return the file of a module of this package, relative to it."""
    for file in ("/".join(parts) + ".py", "/".join([*parts, "__init__.py"])):
        if (PACKAGE / file).is_file():
            return file
    return None


def _stored(function: ast.AST) -> Iterator[str]:
    """Yield the names that a function assigns or defines itself, not those of functions and comprehensions in it."""
    waiting = _children(function)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.comprehension):
            waiting += [node.iter, *node.ifs]
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.ExceptHandler) and node.name:
                yield node.name
            waiting += _children(node)


def _children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes below one; faster than `ast.iter_child_nodes`."""
    found: list[ast.AST] = []
    for key in node._fields:
        value = getattr(node, key, None)
        if isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context | ast.Constant):
            found.append(value)
    return found
