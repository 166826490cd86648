"""The code that a search tries: what it must offer, and how its source travels."""
