"""A digest changes with what code means, and with nothing else."""

import ast

import pytest

from lowparam import provenance, registry
from lowparam.errors import LowparamError

LOOP = '''
"""Train."""
from torch import nn
from lowparam.layers import scaled
from lowparam import __version__, helpers


def train(x: int, rate=0.1) -> float:
    """Multiply."""
    # twice
    version = __version__
    if x < 0:
        raise ValueError("x is negative")
    print("training")
    total = sum(step * rate for step in range(x))
    return scaled(total) + helpers.twice(nn.Identity()(x))


def unused():
    return scaled(1) / 0
'''
LAYERS = """
FACTOR = 3


def scaled(value):
    return FACTOR * value


class Other:
    factor = 4
"""
HELPERS = """
def twice(value):
    return value + value
"""

CACHED = (
    provenance.digest,
    provenance._kept,
    provenance._hash_of_source,
    provenance._module,
    provenance._definition,
    registry.parse,
)


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of `train` in a package of the given files."""
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)

    def of(target="loop.py:train", **files):
        for old in tmp_path.glob("*.py"):
            old.unlink()
        for name, text in (
            {"loop": LOOP, "layers": LAYERS, "helpers": HELPERS, "__init__": '__version__ = "1"\n'} | files
        ).items():
            if text is not None:
                (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        for cached in CACHED:
            cached.cache_clear()
        return provenance.digest(target)

    yield of
    for cached in CACHED:
        cached.cache_clear()


@pytest.mark.parametrize(
    "files",
    [
        {"loop": LOOP.replace("# twice", "# three times")},
        {"loop": LOOP.replace('"""Multiply."""', "'''Another docstring.'''")},
        {"loop": LOOP.replace("x: int", "x: float").replace("-> float", "-> int")},
        {"loop": LOOP.replace("x is negative", "x must not be negative")},
        {"loop": LOOP.replace('print("training")', 'print("still training")')},
        {"loop": LOOP.replace("step * rate for", "step  *  rate\n        for").replace("rate=0.1", "rate = 0.1")},
        {"loop": LOOP.replace("/ 0", "/ 1")},
        {"loop": LOOP.replace("scaled", "enlarged"), "layers": LAYERS.replace("scaled", "enlarged")},
        {"loop": LOOP.replace("lowparam.layers", "lowparam.dense"), "layers": None, "dense": LAYERS},
        {"loop": LOOP.replace("import scaled", "import scaled as s").replace("scaled(", "s(").replace("s(1)", "s(2)")},
        {"layers": LAYERS.replace("FACTOR", "TIMES")},
        {"layers": LAYERS.replace("factor = 4", "factor = 5")},
        {"layers": LAYERS + "\n\ndef new():\n    return 1\n"},
        {
            "loop": LOOP.replace(
                "import __version__, helpers", "import __version__\nfrom lowparam.helpers import twice"
            ).replace("helpers.twice", "twice")
        },
        {"new": "x = 1"},
        {
            "loop": LOOP.replace("total = sum", "total: float = sum").replace(
                "    if x < 0", "    total: float\n    if x < 0"
            )
        },
        {"layers": LAYERS.replace("FACTOR = 3", "FACTOR: int = 3")},
        {"layers": LAYERS.replace("FACTOR = 3", "FACTOR: int = (\n    3\n)").replace("    return", "\n    return")},
        {"__init__": '__version__ = "2"\n'},
        {"__init__": '__version__ = "1"\n\n\ndef __getattr__(name):\n    return name\n'},
    ],
)
def test_what_means_the_same_has_the_same_digest(digest, files):
    assert digest(**files) == digest()


@pytest.mark.parametrize(
    "files",
    [
        {"loop": LOOP.replace("step * rate", "step + rate")},
        {"loop": LOOP.replace("rate=0.1", "rate=0.2")},
        {"loop": LOOP.replace("x < 0", "x < 1")},
        {"loop": LOOP.replace("from torch import nn", "from numpy import nn")},
        {"layers": LAYERS.replace("FACTOR = 3", "FACTOR = 4")},
        {"layers": LAYERS.replace("FACTOR * value", "value")},
        {"layers": LAYERS + "\nFACTOR += 1\n"},
        {"layers": LAYERS + "\nimport torch\ntorch.manual_seed(1)\n"},
        {"helpers": HELPERS.replace("+", "*")},
    ],
)
def test_what_means_another_thing_has_another_digest(digest, files):
    assert digest(**files) != digest()


def test_a_variable_of_a_comprehension_does_not_hide_a_definition(digest):
    text = LOOP.replace("sum(step * rate for step in range(x))", "sum(scaled for scaled in range(x))")
    changed = LAYERS.replace("FACTOR * value", "FACTOR + value")
    assert digest(loop=text) != digest(loop=text, layers=changed)


def test_definitions_that_name_each_other_have_a_digest(digest):
    text = "def train(x):\n    return other(x)\n\n\ndef other(x):\n    return train(x - 1) if x else 0\n"
    assert digest(loop=text) == digest(loop=text.replace("other", "another"))
    assert digest(loop=text) != digest(loop=text.replace("else 0", "else 1"))


def test_one_value_of_a_dictionary_depends_on_itself_alone(digest):
    text = "class A:\n    x = 1\n\n\nclass B:\n    x = 2\n\n\nALL = {'a': A, 'b': B}\n"
    changed = text.replace("x = 2", "x = 3")
    assert digest("loop.py:ALL[a]", loop=text) == digest("loop.py:ALL[a]", loop=changed)
    assert digest("loop.py:ALL[b]", loop=text) != digest("loop.py:ALL[b]", loop=changed)
    assert digest("loop.py:ALL", loop=text) != digest("loop.py:ALL", loop=changed)
    assert digest("loop.py", loop=text) != digest("loop.py", loop=changed)


def test_a_definition_that_is_not_there_is_named(digest):
    with pytest.raises(LowparamError, match=r"lowparam/loop\.py has no missing"):
        digest("loop.py:missing")
    with pytest.raises(LowparamError, match=r"lowparam/gone\.py does not exist"):
        digest("gone.py:train")


def test_a_field_of_a_dataclass_depends_on_its_annotation(digest):
    text = "from dataclasses import dataclass\n\n\n@dataclass\nclass train:\n    x: int = 1\n    y = 2\n"
    assert digest(loop=text) != digest(loop=text.replace("    y = 2", "    y: int = 2"))


def test_everything_that_is_said_to_change_no_result_exists():
    """A module that is renamed without its entry would count from then on, and make every run stale."""
    modules = {entry.replace(".", "/") for entry in provenance.WITHOUT_EFFECT - {"__version__"}}
    assert not [name for name in modules if provenance._file(name.split("/")) is None]


def test_an_expression_that_changed_no_result_counts_as_the_former_one(digest, monkeypatch):
    changed = LOOP.replace("step * rate for", "(step * rate if step else 0.0) for")
    assert digest(loop=changed) != digest()
    same = {"loop.py:train": {"step * rate if step else 0.0": "step * rate"}}
    monkeypatch.setattr(provenance, "SAME_RESULTS", same)
    assert digest(loop=changed) == digest()
    assert digest(loop=changed.replace("rate=0.1", "rate=0.2")) != digest()  # the rest of it still counts


def test_every_expression_that_changed_no_result_is_there():
    """One that is gone would do nothing, unseen, and its former form would be hashed again if somebody wrote it."""
    for target, changed in provenance.SAME_RESULTS.items():
        file, _, name = target.partition(":")
        definition = provenance._module(file).statements[name]
        found = {ast.dump(node) for each in definition for node in ast.walk(each) if isinstance(node, ast.expr)}
        assert not [now for now in changed if ast.dump(provenance._expression(now)) not in found]


def test_of_the_compiled_layers_the_version_alone_counts():
    """Which implementation trains changes rounding; so changing, building or removing one makes no run stale."""
    reached = {key for entry in ("train", "profile") for key in provenance.reached(provenance.ENTRIES[entry])}
    assert ("models/layers/fast.py", "VERSION") in reached
    assert not [file for file, _ in reached if file in ("models/layers/fused.py", "models/layers/compiled.py")]


def test_digests_that_were_kept_are_right_for_exactly_their_source(digest, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    first = digest()
    provenance.keep()
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "reached", lambda *_: pytest.fail("computed anew"))
        assert digest() == first
    assert digest(helpers=HELPERS.replace("+", "*")) != first
