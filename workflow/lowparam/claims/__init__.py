"""What papers claim, the tests of it, and the verdicts."""
