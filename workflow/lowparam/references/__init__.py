"""Numbers that others published, each with its source, to compare our own runs with."""
