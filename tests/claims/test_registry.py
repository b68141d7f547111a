from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from lowparam import page_tables
from lowparam.claims import kind_tables, kinds
from lowparam.claims.registry import CLAIMS, load_registry
from lowparam.errors import LowparamError
from lowparam.models.blocks import ablations, names, published
from lowparam.models.probes import names as probe_names
from lowparam.registry import constants, entries

ROOT = Path(__file__).parents[2]


@pytest.fixture
def values():
    return yaml.safe_load((CLAIMS / "hollard2025.yaml").read_text(encoding="utf-8"))


def refused(values, tmp_path) -> str:
    path = tmp_path / "hollard2025.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(LowparamError) as error:
        load_registry(tmp_path)
    message = str(error.value)
    assert "\n" not in message and ("hollard2025.yaml" in message)
    return message


def test_every_claim_of_both_papers_is_there():
    claims = {claim.id: claim for claim in load_registry().claims}
    assert list(claims) == [f"C{number}" for number in range(1, 27)]
    untested = [name for name, claim in claims.items() if claim.without_test]
    assert untested == ["C10", "C25"]


def test_every_architecture_and_activation_exists():
    known = {*names(), *published(), *ablations()}
    for claim in load_registry().claims:
        for test in claim.tests:
            for arm in test.arms():
                for pattern in arm.get("architecture", []):
                    pattern = pattern.partition("@")[0]  # a variant is one of the recipe
                    pattern, *parts = pattern.split("+")
                    assert any(fnmatchcase(name, pattern) for name in known), (claim.id, test.id, pattern)
                    for part in parts:
                        assert any(fnmatchcase(name, part) for name in entries("models/parts")), (
                            claim.id,
                            test.id,
                            part,
                        )
                for name in arm.get("probe", []):
                    assert name in probe_names(), (claim.id, test.id, name)


def test_a_slip_in_a_key_is_named(values, tmp_path):
    values["claims"][1]["tests"][0]["directoin"] = "greater"
    assert refused(values, tmp_path).endswith("C2.tests.0.paired.directoin is not a known key")


def test_a_direction_that_does_not_exist_is_named(values, tmp_path):
    values["claims"][1]["tests"][0]["direction"] = "up"
    message = refused(values, tmp_path)
    assert "C2.tests.0.paired.direction" in message and "'greater' or 'less'" in message and "'up'" in message


def test_an_unknown_kind_is_named(values, tmp_path):
    values["claims"][0]["tests"][0]["kind"] = "pairde"
    assert "pairde" in refused(values, tmp_path)


def test_a_claim_needs_one_primary_test(values, tmp_path):
    values["claims"][1]["tests"][0]["primary"] = False
    assert refused(values, tmp_path).endswith("C2: exactly one of the tests must be primary")


def test_a_claim_without_a_test_says_why(values, tmp_path):
    values["claims"][9]["without_test"] = ""
    assert "C10: needs either tests or without_test" in refused(values, tmp_path)


def test_a_paper_is_named_by_its_file_alone(values, tmp_path):
    registry = load_registry()
    assert list(registry.papers) == ["hollard2025", "ma2024", "questions"]
    assert {registry.paper_of(claim) for claim in registry.claims} == set(registry.papers)
    values["claims"][0]["paper"] = "hollard"
    assert refused(values, tmp_path).endswith("C1.paper is not a known key")


def test_the_same_id_twice_is_refused(values, tmp_path):
    values["claims"][1]["id"] = "C1"
    assert "claims name 'C1' twice" in refused(values, tmp_path)


def test_no_file_is_one_line(tmp_path):
    with pytest.raises(LowparamError, match="does not exist"):
        load_registry(tmp_path / "claims")


def test_the_same_id_in_two_papers_is_refused(values, tmp_path):
    (tmp_path / "zuerst.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert "claims name 'C1' twice, in hollard2025.yaml and zuerst.yaml" in refused(values, tmp_path)


def test_tables_of_kinds_and_keys_in_the_documentation_are_up_to_date():
    text = (ROOT / kind_tables.PAGE).read_text(encoding="utf-8")
    assert page_tables.fill(text, kind_tables.tables()) == text, f"run `{page_tables.COMMAND}`"


def test_the_tables_name_every_kind_with_its_question_and_every_key_of_the_claims(values):
    tables = kind_tables.tables()
    for name in kinds.names():
        assert f"| `{name}` | {constants('claims/kinds', name)['QUESTION']} |" in tables["kinds"]
    tests = [test for claim in values["claims"] for test in claim.get("tests", [])]
    for key in {key for test in tests for key in test} - {"kind"}:
        assert f"| `{key}` |" in tables["keys"]


def test_a_page_without_a_marker_is_refused():
    with pytest.raises(LowparamError, match=r"^the page has no <!-- kinds: written by `lowparam docs` --> "):
        page_tables.fill("# A page", {"kinds": ""})
