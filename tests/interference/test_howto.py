"""The page on measures is right: one new file and one line, and it is in profile, summary and documentation."""

from howto import follow

PROFILE = """
import pandas as pd, torch
from lowparam import params
from lowparam.interference.profile_model import profile_model
from lowparam.interference.summary import measure_columns, summary
from lowparam.models import network_for

chosen = params.load()
settings = chosen.experiment("digits").profile
spec = params.run_spec(chosen, chosen.runs("digits")[0])
torch.manual_seed(0)
net = network_for(spec, classes=10, in_channels=1, size=8)
images = torch.randint(0, 256, (100, 8, 8), dtype=torch.uint8)
profile_model(net, images, torch.arange(100) % 10, settings=settings).to_csv("profile.csv", index=False)
rows = pd.read_csv("profile.csv").query("measure == 'constant_channels'")
short = summary(pd.read_csv("profile.csv"))
print(len(rows), rows["value"].between(0, 1).all(), short["constant_channels"] == rows["value"].mean())
print(measure_columns(short)[-1])
from lowparam.interference.measure_table import column_table, value_table
print("`constant_channels`" in value_table(), "`constant_channels`" in column_table())
"""
IDENTITIES = """
from lowparam import provenance
from lowparam.params import Profile
print(provenance.digest(provenance.ENTRIES["profile"], *provenance.of_measures(Profile())))
"""


def test_one_new_file_and_one_line_add_a_measure(tmp_path):
    done = follow("measure", tmp_path / "after")
    assert len(done.files) == 1 and done.lines.count("\n") == 1
    lines = done.run("python", "-c", PROFILE).splitlines()
    assert lines == ["6 True True", "constant_channels", "True True"]
    before = follow("measure", tmp_path / "before", apply=False)
    assert done.run("python", "-c", IDENTITIES) == before.run("python", "-c", IDENTITIES)


def test_a_channel_that_is_zero_counts(tmp_path):
    code = (
        "import torch\n"
        "from torch import nn\n"
        "from lowparam.interference.profile_model import profile_model\n"
        "from lowparam.models.blocks import Site\n"
        "from lowparam.params import Profile\n"
        "net = nn.Sequential(nn.Conv2d(1, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))\n"
        "nn.init.zeros_(net[0].weight[0]), nn.init.zeros_(net[0].bias[0])\n"
        "table = profile_model(net, torch.rand(50, 1, 4, 4), torch.arange(50) % 3,\n"
        "    sites=lambda net: {'a.projection': Site('projection', net[0], net[0]),\n"
        "                       'a.stream': Site('stream', net[0])},\n"
        "    settings=Profile(measures=['constant_channels']))\n"
        "print(table.set_index('measure').loc['constant_channels', 'value'])\n"
    )
    assert float(follow("measure", tmp_path).run("python", "-c", code)) == 0.2
