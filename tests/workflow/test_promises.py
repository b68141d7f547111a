"""The page of promises names tests that there are."""

import re

from workspace import ROOT


def test_every_promise_of_the_docs_has_its_test():
    page = (ROOT / "docs/development/promises.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*$", page, flags=re.MULTILINE)
    assert rows == [str(number) for number in range(1, len(rows) + 1)] and len(rows) >= 18
    named = set(re.findall(r"`(test_\w+)`", page))
    defined = {
        name
        for path in (ROOT / "tests").glob("**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert named - defined == set()
