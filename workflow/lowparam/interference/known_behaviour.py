"""How the columns of runs.csv move with superposition where it is known, as recorded.

Written from `lowparam.interference.known_superposition.rank_correlations`, with which a test compares it. The numbers
are here and not there because reports read them, which should not import torch.
"""

__all__ = ["BEHAVIOUR"]

BEHAVIOUR = {
    "dimensionality_projection": -0.99,
    "forced_projection": -0.99,
    "r_projection": 0.18,
    "r_projection_null_sd": -0.99,
    "chi_stages": 0.16,
    "chi_last": 0.16,
    "log_ci_projection": 0.3,
    "capacity_used": 0.95,
    "position_similarity": -0.98,
    "class_selectivity": -0.98,
    "ablation_interaction": 0.73,
    "gradient_cosine": -0.72,
    "gradient_conflict": 0.22,
    "all_linear_accuracy": -0.87,
    "block_effect": -0.54,
    "channel_linearity": -0.4,
    "channel_linearity_null": 0.23,
    "coding_rate": 0.37,
    "isometry_gap": -0.94,
    "linearisable_share": -0.81,
    "linearity_branch": 0.99,
    "log_nc1_last": 0.94,
    "nc2_last": 0.0,
    "pattern_alignment": 0.37,
    "pattern_alignment_null": 0.57,
    "rate_reduction_last": -0.98,
    "similarity_to_pixels_last": -0.9,
}
"""Rank correlation with the features per channel, over 21 networks; columns that are undefined there are missing."""
