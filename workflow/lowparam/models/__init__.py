"""From a name and a budget to a network."""
