"""Kills of a run's processes at random moments: the driver, and what is killed."""
