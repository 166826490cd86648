"""Problems that strategies and their peers are laid side by side on: `make bench-search ARGS=--suite`."""
