"""Decision boundaries on the two moons."""

from matplotlib.figure import Figure
from safetensors.numpy import load_file

from lowparam.report.context import Context
from lowparam.report.star import boundary_figure

CAPTION = "Decision boundaries of star and sum networks and of support vector machines on the two moons."
OF = "star"
ORDER = 11


def make(context: Context) -> Figure:
    """Draw the figure."""
    return boundary_figure(context.read("moons"), load_file(context.folder / "moons_grid.safetensors"))
