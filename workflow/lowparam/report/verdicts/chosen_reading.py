"""Which reading of SoLU was chosen on one experiment, and what the claims are under it on all other data."""

import pandas as pd

from lowparam import paths
from lowparam.catalogue import solu_readings
from lowparam.claims.readings import CHOSEN_ON, PATTERN, PROBE, chosen
from lowparam.claims.subjects import judged_subjects
from lowparam.files import read_csv
from lowparam.params import Params
from lowparam.report.labels import probe_label
from lowparam.report.table_format import markdown_grid

__all__ = ["read_readings", "section"]

COLUMNS = ["experiment", "place", "data", "reading", "claim", "test", "verdict"]


def read_readings(params: Params) -> pd.DataFrame:
    """Read the claims of the paper's pattern under every reading of SoLU, on every experiment that was judged.

    Returns
    -------
    DataFrame
        Columns experiment, place, data, reading, claim, test and verdict. Experiments with the headline reading alone
        have it from their verdicts.
    """
    tables = [pd.DataFrame(columns=COLUMNS)]
    for subject in judged_subjects(params):
        if subject.experiment is None:
            continue
        path, readings = paths.tables(subject.name) / "readings.csv", solu_readings(subject.experiment)
        if len(readings) > 1 and path.exists():
            table = read_csv(path)
            table = table[table["reading"].isin(readings)]
        elif readings == [PROBE]:
            table = read_csv(paths.claims(subject.name)).assign(reading=PROBE)
            table = table[table["primary"].eq(True)].assign(test="primary")
        else:
            continue
        table = table.assign(experiment=subject.name, place=subject.place, data=subject.experiment.data)
        tables.append(table.loc[table["claim"].isin(PATTERN), COLUMNS])
    return pd.concat(tables, ignore_index=True)


def section(readings: pd.DataFrame) -> str:
    """Write the section of the overview: the reading that was chosen, and the verdicts under it.

    Parameters
    ----------
    readings : DataFrame
        What `read_readings` returned.
    """
    parts = [
        "## The chosen reading of SoLU",
        "The paper gives neither the place nor the form of SoLU. "
        "[docs/science/protocol.md](../docs/science/protocol.md#readings) has the rule by which a reading is chosen on "
        f"the experiment {CHOSEN_ON}. "
        "The claims are judged under it on other data only: on those that chose it, it is no evidence.",
    ]
    chooses = readings[readings["experiment"] == CHOSEN_ON]
    if chooses.empty:
        return "\n\n".join([*parts, f"No reading is chosen yet: `lowparam run {CHOSEN_ON}` tries them."])
    names = list(dict.fromkeys(chooses["reading"]))
    reading = chosen(chooses, names)
    parts.append(f"Chosen: {probe_label(reading)} (`{reading}`).")
    others = readings[
        ~readings["data"].isin(set(chooses["data"])) & readings["reading"].eq(reading) & readings["test"].eq("primary")
    ]
    if others.empty:
        return "\n\n".join([*parts, "No other data have runs with it yet."])
    rows = []
    for (experiment, place), of_place in others.groupby(["experiment", "place"], sort=False):
        verdicts = of_place.set_index("claim")["verdict"]
        rows.append([f"[{place}]({experiment}/claims.md)", *(verdicts.get(claim, "–") for claim in PATTERN)])
    return "\n\n".join([*parts, markdown_grid(rows, ["on", *PATTERN])])
