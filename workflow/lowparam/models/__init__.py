"""Build networks from a name and a budget."""

from lowparam.models.build import network_for, width_for

__all__ = ["network_for", "width_for"]
