"""Whether a trial is worth more training: rules inside a trial, and successive halving between iterations."""
