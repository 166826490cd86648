"""How well strategies search, on a table of real trainings: `make bench-search DATA=folder`."""
