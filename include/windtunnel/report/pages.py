"""The pages' scripts and styles, and the frames that hold them together."""

import gzip
import hashlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

# The modules of each page's script, in the order in which one may use the other.
_SCRIPTS = {
    "run.js": (
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
    ),
    "searches.js": ("base.js", "source.js", "searches.js"),
}
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_VENDOR = ("tabulator.min.js", "tabulator.min.css")
ASSETS = frozenset({*_SCRIPTS, "style.css", "plotly-style.css", "plotly.min.js", *_VENDOR})
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
  <p><button type="button" id="older" hidden>Older runs</button></p>
</main>"""


@dataclass(frozen=True)
class Asset:
    """A script or a style.

    Attributes:
        text: as it is.
        media_type: of it.
        address: where a page finds it; another one for another text, so that a browser may keep what it has.
    """

    text: str
    media_type: str
    address: str

    @cached_property
    def compressed(self) -> bytes:
        """The text by gzip."""
        return gzip.compress(self.text.encode(), 6, mtime=0)


@cache
def asset(name: str) -> Asset:
    """One of `ASSETS`."""
    assert name in ASSETS, name
    text = _text(name)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Asset(text, _TYPES[name[name.rindex(".") :]], f"static/{name}?{digest}")


def _text(name: str) -> str:
    if name in _SCRIPTS:
        return _joined(_SCRIPTS[name])
    return plotly_js() if name == "plotly.min.js" else _read(f"vendor/{name}" if name in _VENDOR else name)


def _joined(modules: Iterable[str]) -> str:
    """Modules as one script: one request instead of many, and for `report.html`, which can fetch none, the only way.

    Their names are unique across modules, so it takes no more than leaving out what imports and exports them.
    """
    return _JOINTS.sub("", "\n".join(map(_read, modules)))


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
    plotly = asset("plotly.min.js").address if plotly_js() else ""
    return frame(_linked("run.js", "Search"), _RUN_HEADER, _RUN_BODY, f' data-plotly="{plotly}"')


@cache
def searches_page() -> str:
    """The page of all searches."""
    return frame(_linked("searches.js", "Searches"), _SEARCHES_HEADER, _SEARCHES_BODY)


def report_frame(head: str, scripts: str) -> str:
    """The page of a run with everything in it."""
    return frame(head, _RUN_HEADER, f"{_RUN_BODY}\n{scripts}")


def frame(head: str, header: str, body: str, attributes: str = "") -> str:
    """A page."""
    parts = {"attributes": attributes, "head": head, "header": header, "body": body}
    return _SLOT.sub(lambda slot: parts[slot[1]], _read("page.html"))


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
            f'<link rel="stylesheet" href="{asset("tabulator.min.css").address}">',
            f'<link rel="stylesheet" href="{asset("style.css").address}">',
            f'<link rel="stylesheet" href="{asset("plotly-style.css").address}" id="plotly.js-style-global">',
            f'<script src="{asset("tabulator.min.js").address}" defer></script>',
            f'<script src="{asset(script).address}" type="module"></script>',
            _unwanted(),
        ]
    )


def _read(name: str) -> str:
    return (files("windtunnel.report") / "assets" / name).read_text(encoding="utf-8")
