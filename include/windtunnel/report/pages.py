"""The pages' scripts and styles, and the frames that hold them together."""

import gzip
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

# In the order in which one may use the other: `report.html` has them as one script.
MODULES = (
    "base.js",
    "trials_store.js",
    "source.js",
    "charts.js",
    "overview.js",
    "front.js",
    "curves.js",
    "trial.js",
    "trials.js",
    "parallel.js",
    "importance.js",
    "lanes.js",
    "compare.js",
    "actions.js",
    "run.js",
)
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_VENDOR = ("tabulator.min.js", "tabulator.min.css")
ASSETS = frozenset({*MODULES, "searches.js", "style.css", "plotly-style.css", "plotly.min.js", *_VENDOR})
_JOINTS = re.compile(r"^(import .*? from \"\./.*?\";\n|export (?=const|class|function|async))", re.MULTILINE)
_SLOT = re.compile(r"\{\{(\w+)\}\}")

_RUN_HEADER = """\
  <div class="grow">
    <h1 id="search"></h1>
    <p class="quiet"><span id="run"></span> <span id="live" class="pill run" hidden>live</span></p>
  </div>"""
_RUN_BODY = """\
<div id="tabs" role="tablist" aria-label="Views"></div>
<main id="views"></main>"""
_SEARCHES_HEADER = '  <div class="grow"><h1>Searches</h1></div>'
_SEARCHES_BODY = """\
<main>
  <div class="bar">
    <input type="search" id="filter" placeholder="Filter: search, run, state …" aria-label="Filter runs">
    <span id="shown" class="quiet" role="status"></span>
  </div>
  <div id="searches"></div>
</main>"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A script or a style.

    Attributes:
        text: as it is.
        compressed: by gzip.
        media_type: of it.
    """

    text: str
    compressed: bytes
    media_type: str


@cache
def asset(name: str) -> Asset:
    """One of `ASSETS`."""
    assert name in ASSETS, name
    text = plotly_js() if name == "plotly.min.js" else _read(f"vendor/{name}" if name in _VENDOR else name)
    return Asset(text, gzip.compress(text.encode(), 6, mtime=0), _TYPES[name[name.rindex(".") :]])


@cache
def plotly_js() -> str:
    """The plotly.js that comes with the plotly package, found without importing it; empty without plotly."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        return ""
    file = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def run_page() -> str:
    """The page of a run; which one, its address says."""
    return frame(_linked("run.js", "Search"), _RUN_HEADER, _RUN_BODY, ' data-live="1"')


@cache
def searches_page() -> str:
    """The page of all searches."""
    return frame(_linked("searches.js", "Searches"), _SEARCHES_HEADER, _SEARCHES_BODY, ' data-live="1"')


def report_frame(head: str, scripts: str) -> str:
    """The page of a run with everything in it."""
    return frame(head, _RUN_HEADER, f"{_RUN_BODY}\n{scripts}")


def frame(head: str, header: str, body: str, attributes: str = "") -> str:
    """A page."""
    parts = {"attributes": attributes, "head": head, "header": header, "body": body}
    return _SLOT.sub(lambda slot: parts[slot[1]], _read("page.html"))


def in_one_script() -> str:
    """All modules of a run's page as one, for a page that can fetch none.

    Their names are unique across modules, so it takes no more than leaving out what imports and exports them.
    """
    whole = "\n".join(asset(name).text for name in MODULES)
    return _JOINTS.sub("", whole)


def _unwanted() -> str:
    """Plotly puts a map's style sheet into the page, inline, unless an element of its id is there already."""
    found = re.search(r'getElementById\("([0-9a-f]{64})"\)', plotly_js())
    return f'<meta id="{found[1]}">' if found else ""


def _linked(script: str, title: str) -> str:
    # Plotly puts its rules into the style sheet of this id. Without one it makes an inline style, which the page's
    # security policy forbids.
    return "\n".join(
        [
            f"<title>{title}</title>",
            '<link rel="stylesheet" href="static/tabulator.min.css">',
            '<link rel="stylesheet" href="static/style.css">',
            '<link rel="stylesheet" href="static/plotly-style.css" id="plotly.js-style-global">',
            '<script src="static/tabulator.min.js" defer></script>',
            f'<script src="static/{script}" type="module"></script>',
            _unwanted(),
        ]
    )


def _read(name: str) -> str:
    return (files("windtunnel.report") / "assets" / name).read_text(encoding="utf-8")
