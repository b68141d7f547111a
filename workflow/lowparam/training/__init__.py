"""From a specification to a trained network: the loop, schedules and checkpoints."""
