"""URLs of runs: `<store>/<search>/<run>`."""

LATEST = "latest"
"""Stands for the run that began last: in place of a run, or of search and run; `make run` keeps a link of that name."""


def is_run(url: str) -> bool:
    """Whether a URL can be that of a run, be it there or not."""
    return parts_of(url) is not None


def name_of(run: str) -> str:
    """A run's name, given by itself or in the run's URL."""
    return run.rstrip("/").rpartition("/")[2]


def parts_of(url: str) -> tuple[str, str, str] | None:
    """A run's store, search and run; None where the URL lacks one of them."""
    rest, _, run = url.rstrip("/").rpartition("/")
    base, _, search = rest.rpartition("/")
    lacking = not base or not search or base.endswith((":", ":/", "://"))
    return None if lacking else (base, search, run)
