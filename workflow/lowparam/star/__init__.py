"""Rewrite the Stars (Ma et al. 2024, arXiv 2403.19967): what multiplying two branches can do that adding cannot."""
