"""From a name and a budget to a network."""

from lowparam.models.build import network_for, width_for

__all__ = ["network_for", "width_for"]
