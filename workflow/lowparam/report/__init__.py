"""Tables and figures from runs.csv."""
