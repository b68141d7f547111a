"""Files that are written at once."""

import errno
import os
import stat

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from lowparam.errors import LowparamError
from lowparam.files import atomic, parse_yaml, read_csv, read_json, write_json


@pytest.fixture(params=[0o022, 0o027, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_who_may_read_a_file_is_up_to_the_umask(tmp_path, umask):
    """safetensors writes files that only their owner can read, which a group that shares results cannot use."""
    write_json(tmp_path / "a.json", {})
    with atomic(tmp_path / "b.safetensors") as temporary:
        save_file({"a": np.zeros(3)}, temporary)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask, path.name


def test_a_block_that_writes_nothing_leaves_nothing(tmp_path):
    with pytest.raises(Exception, match="cannot write"), atomic(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        ("results/data/digits/manifest.json", "run: lowparam prepare digits"),
        ("results/data/digits/record.json", "run: make record"),
        ("results/a/runs/timm:x.y-none-published/seed0/metrics.json", "run: lowparam train a timm:x.y-none-published"),
        ("results/a/profiles/vgg@lr0.1-none-10k/seed0.csv", "run: lowparam profile a vgg@lr0.1-none-10k"),
        ("results/a/tuning/vgg@lr0.1-none.json", "run: lowparam tune a vgg@lr0.1-none"),
        ("results/a/records/train.json", "run: make record EXPERIMENT=a"),
        ("results/a/baseline.json", "run: lowparam baseline a"),
        ("results/a/runs.csv", "run: lowparam collect a"),
        ("results/a/metrics.json", "run: lowparam collect a"),
        ("results/a/claims.csv", "delete it, and run: lowparam run a"),
        ("results/star/dimension.csv", "delete it, and run: lowparam run star"),
        (".lowparam/tuning/a/vgg-none/10k-lr0.1/seed100/metrics.json", "run: lowparam tune a vgg-none"),
        (".lowparam/networks.json", "delete it; .lowparam has only what is computed again"),
        ("mine/profile.csv", "restore it"),
    ],
)
def test_a_damaged_file_is_named_with_the_command_that_writes_it(tmp_path, file, advice):
    path = tmp_path / "results of others" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with pytest.raises(LowparamError) as caught:
        (read_json if path.suffix == ".json" else read_csv)(path)
    assert str(caught.value).startswith(f"{path} is not ")
    assert str(caught.value).endswith(f"; {advice}")


def test_a_missing_file_is_named_with_the_command_that_writes_it(tmp_path):
    for name, advice in (("results/a/runs.csv", "; run: lowparam collect a"), ("mine.csv", "")):
        with pytest.raises(LowparamError) as caught:
            read_csv(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name} does not exist{advice}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("%YAML 1.1\n---\nlr: 010", "p.yaml is read as YAML 1.2; take out the line %YAML 1.1, by which 010 would be 8"),
        ("# ours\n\n%YAML 1.0\n---\nlr: 010", "p.yaml is read as YAML 1.2; take out the line %YAML 1.0"),
        ("a: &x 1\nb: &x 2\nc: *x", "p.yaml: the anchor &x is in line 1 and again in line 2; rename one of them"),
        ("a: 1\nb: \x07", "p.yaml, line 2: YAML forbids the character U+0007; delete it"),
        ("a: <<", "p.yaml, line 1: not valid YAML: << alone means something; quote it"),
        ("a: !!python/none", "line 1: not valid YAML: the tag tag:yaml.org,2002:python/none is unknown here; take it"),
        ("a: !mine 3", "p.yaml, line 1: not valid YAML: the tag !mine is unknown here; take it out"),
        (f"a: {'[' * 1000}", "p.yaml is nested too deeply; a bracket may not be closed"),
        ("a:" + "".join(f"\n{' ' * depth}a:" for depth in range(1, 600)), "p.yaml is nested too deeply"),
    ],
)
def test_what_yaml_would_read_otherwise_or_not_at_all_is_one_line(text, says):
    with pytest.raises(LowparamError) as caught:
        parse_yaml(text, "p.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directive_of_yaml_1_2_and_words_that_look_like_one_are_read():
    assert parse_yaml("%YAML 1.2\n---\na: 010") == {"a": 10}
    assert parse_yaml("a: '%YAML 1.1'\nb: &x 1\nc: *x") == {"a": "%YAML 1.1", "b": 1, "c": 1}


PROFILE = "measure,site,kind,value\nchi,stages.0,stream,0.5\nchi,stages.1,stream,0.25\n"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (
            "a/runs/vgg-none-10k/seed0/metrics.json",
            "[]",
            "has no spec, so it is damaged; run: lowparam train a vgg-none",
        ),
        (
            "a/runs/vgg-none-10k/seed0/metrics.json",
            '{"spec": {}}',
            "has no status, so it is damaged; run: lowparam train",
        ),
        ("a/runs/vgg-none-10k/seed0/metrics.json", "null", "has no spec, so it is damaged"),
        ("a/runs/vgg-none-10k/seed0/metrics.json", "[" * 10**5, "is not valid JSON (maximum recursion depth exceeded"),
        ("a/baseline.json", "{}", "has no test, so it is damaged; run: lowparam baseline a"),
        ("data/digits/manifest.json", "[]", "has no sha256, so it is damaged; run: lowparam prepare digits"),
        (
            "a/profiles/vgg-none-10k/seed0.csv",
            "a,b\n1,2\n",
            "has no measure, so it is damaged; run: lowparam profile a",
        ),
        ("a/profiles/vgg-none-10k/seed0.csv", "\0" * 100, "so it is damaged; run: lowparam profile a vgg-none-10k"),
        ("a/profiles/vgg-none-10k/seed0.csv", PROFILE[:24], "has no rows, so it is damaged"),
        ("a/profiles/vgg-none-10k/seed0.csv", PROFILE[:-5], "ends in the middle of a row, so it is damaged"),
        ("a/profiles/vgg-none-10k/seed0.csv", PROFILE.replace("0.5", "oops"), "has values that are no numbers, so"),
        ("a/runs.csv", "a\n1\n", "has no architecture, so it is damaged; run: lowparam collect a"),
    ],
)
def test_results_that_are_something_else_are_named_where_they_are_read(tmp_path, file, content, says):
    path = tmp_path / "results" / file
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(LowparamError) as caught:
        (read_json if path.suffix == ".json" else read_csv)(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_whole_results_and_files_of_others_are_read(tmp_path):
    path = tmp_path / "results/a/profiles/vgg-none-10k/seed0.csv"
    path.parent.mkdir(parents=True)
    path.write_text(PROFILE)
    assert read_csv(path)["value"].tolist() == [0.5, 0.25]
    (tmp_path / "mine.csv").write_text("a\n1")
    assert read_csv(tmp_path / "mine.csv")["a"].tolist() == [1]


def fail_again() -> None:
    try:
        raise OSError(errno.EFBIG, "File too large")
    finally:
        raise AttributeError("'Stream' object has no attribute 'pos'")


def fail_in_safetensors() -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("write", "why"), [(fail_again, "File too large"), (fail_in_safetensors, "No space left on device")]
)
def test_a_full_disk_is_told_whatever_a_library_makes_of_it(tmp_path, write, why):
    (tmp_path / "a").write_text("before")
    with pytest.raises(LowparamError, match=f"^cannot write {tmp_path / 'a'}: {why}$"), atomic(tmp_path / "a"):
        write()
    with pytest.raises(KeyError), atomic(tmp_path / "a"):
        raise KeyError("a fault of the program")
    with pytest.raises(LowparamError, match=r"^missing$"), atomic(tmp_path / "a"):
        raise LowparamError("missing") from OSError(errno.EIO, "Input/output error")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
