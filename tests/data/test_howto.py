"""The page on data sources is right: one new file and one line in params.yaml are a data set to train on."""

import json

from howto import follow

CODE = """
from lowparam import data, params
from lowparam.data import Images
found = data.load("results/data/stripes")
print(len(found.train), len(found.validation), len(found.test), found.in_channels, found.size, list(found.classes))
"""


def test_one_new_file_and_one_line_are_a_data_set(tmp_path):
    done = follow("source", tmp_path, under="\ndata:\n")
    assert len(done.files) == 1 and done.lines.count("\n") == 1
    done.run("lowparam", "prepare", "stripes")
    assert done.run("python", "-c", CODE).strip() == "360 90 150 1 12 ['upright', 'level']"
    manifest = json.loads((tmp_path / "results/data/stripes/manifest.json").read_text())
    assert manifest["licence"] == "CC0"
    params = (
        (tmp_path / "params.yaml")
        .read_text()
        .replace(
            "    data: digits\n    recipe: digits\n    budgets: [10k,",
            "    data: stripes\n    recipe: digits\n    budgets: [10k,",
        )
    )
    (tmp_path / "params.yaml").write_text(params)
    assert done.run("lowparam", "check", "digits").startswith("digits:")
    done.run("lowparam", "baseline", "digits")
    assert json.loads((tmp_path / "results/digits/baseline.json").read_text())["test"]["accuracy"] > 0.9
