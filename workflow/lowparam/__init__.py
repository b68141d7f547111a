"""Benchmark and paper replication for low-parameter vision networks and the interference inside them."""

__version__ = "0.1.0"
