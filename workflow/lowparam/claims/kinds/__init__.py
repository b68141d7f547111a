"""Kinds of tests of a claim, one file each."""
