"""What multiplying two branches can do that adding them cannot, without images: implicit dimensions and the two moons.

Ma et al. 2024, "Rewrite the Stars", arXiv 2403.19967.
"""

JUDGED = ("dimension", "growth")
DATA = "ranks"
PLACE = "exact ranks"
ABOUT = "{rows} implicit dimensions, counted exactly."
