"""Toy models whose superposition is known, on which the interference measures are calibrated.

Elhage et al. 2022, "Toy Models of Superposition" (transformer-circuits.pub/2022/toy_model).
"""
