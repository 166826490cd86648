"""What trains a fleet: a lane that claims mini-batches, and processes that live over many of them."""
