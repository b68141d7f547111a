"""The pages on claims and kinds of claims are right: one new file each, and the claim is judged."""

from howto import follow

JUDGE = """
import numpy as np, pandas as pd
from lowparam import params
from lowparam.claims.registry import load_registry
registry = load_registry()
claim = {claim.id: claim for claim in registry.claims}["C27"]
rows = [
    {"architecture": name, "probe": "none", "budget": budget, "seed": seed, "status": "finished",
     "test_accuracy": mean + 0.001 * seed}
    for name, mean in (("mobilenetv1", 0.90), ("mobilenetv2", 0.95))
    for budget in ("10k", "25k")
    for seed in range(5)
]
finding = claim.tests[0].find(pd.DataFrame(rows))
print(claim.statement)
print(round(finding.estimate, 6), finding.unit)
"""


def test_a_claim_is_one_new_file(tmp_path):
    done = follow("claim", tmp_path)
    assert done.files == ["workflow/claims/mine2026.yaml"]
    statement, estimate = done.run("python", "-c", JUDGE).splitlines()
    assert statement == "MobileNetV2 is at least as accurate as MobileNetV1 at equal parameters."
    assert estimate == "5.0 points"


def test_a_kind_is_one_new_file(tmp_path):
    done = follow("claim-kind", tmp_path)
    assert done.files == ["workflow/lowparam/claims/kinds/threshold.py"]
    claim = follow("claim", tmp_path / "claim")
    text = (claim.folder / "workflow/claims/mine2026.yaml").read_text(encoding="utf-8")
    text = text.replace("kind: paired", "kind: threshold").replace(
        "minus: { architecture: [mobilenetv1] }", "value: 0.9"
    )
    (done.folder / "workflow/claims/mine2026.yaml").write_text(text.replace("        direction: greater\n", ""))
    _, estimate = done.run("python", "-c", JUDGE).splitlines()
    assert estimate == "5.2 points"
    assert "threshold" in done.run("python", "-c", "from lowparam.claims import kinds; print(kinds.names())")
    tables = done.run("python", "-c", "from lowparam.claims import kind_tables; print(*kind_tables.tables().values())")
    assert "| `threshold` | is an outcome above a value? | runs | `plus`, `value` |" in tables
