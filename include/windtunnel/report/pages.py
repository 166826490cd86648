"""The results pages' HTML, and the scripts and styles that they load."""

import gzip
import hashlib
import importlib.util
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from string import Template

# Each page's script and the modules that it is made of; a module imports from those before it only.
_SCRIPTS = {
    "run.js": (
        "base.js",
        "trials_store.js",
        "source.js",
        "charts.js",
        "overview.js",
        "front.js",
        "curves.js",
        "artifacts.js",
        "trial.js",
        "trials.js",
        "parallel.js",
        "importance.js",
        "lanes.js",
        "compare.js",
        "actions.js",
        "run.js",
    ),
    "fleet.js": ("base.js", "source.js", "fleet.js"),
    "searches.js": ("base.js", "source.js", "searches.js"),
}
_VENDOR = ("tabulator.min.js", "tabulator.min.css")
ASSETS = frozenset({*_SCRIPTS, "style.css", "plotly-style.css", "plotly.min.js", *_VENDOR})

_RUN_HEADER = """\
  <div class="grow">
    <h1 id="search"></h1>
    <p class="quiet"><span id="run"></span> <span id="live" class="pill run" hidden>live</span></p>
  </div>"""
_RUN_BODY = """\
<div id="tabs" role="tablist" aria-label="Views"></div>
<main id="views"></main>"""
_FLEET_BODY = '<main id="views"></main>'
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
    """A script or a style sheet.

    Attributes:
        text: its content.
        media_type: its MIME type, such as `text/css`.
        address: its URL relative to a page. It changes with the content, so that a browser may keep it for ever.
    """

    text: str
    media_type: str
    address: str

    @cached_property
    def compressed(self) -> bytes:
        """The content, compressed by gzip."""
        return gzip.compress(self.text.encode(), 6, mtime=0)


@cache
def asset(name: str) -> Asset:
    """One of `ASSETS`."""
    assert name in ASSETS, name
    if name in _SCRIPTS:
        text = _bundle(_SCRIPTS[name])
    elif name == "plotly.min.js":
        text = plotly_js()
    else:
        text = _read(f"vendor/{name}" if name in _VENDOR else name)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    media_type = "text/css" if name.endswith(".css") else "text/javascript"
    return Asset(text, media_type, f"static/{name}?{digest}")


def _bundle(modules: tuple[str, ...]) -> str:
    """Modules as one script: one request instead of many, and `report.html` cannot fetch any.

    All modules then share one scope, in which their names are unique. So it is enough to leave out their lines that
    begin with `import` and the word `export`.
    """
    lines = "\n".join(map(_read, modules)).splitlines(keepends=True)
    return "".join(line.removeprefix("export ") for line in lines if not line.startswith("import "))


@cache
def plotly_js() -> str:
    """The plotly.js of the plotly package, found without importing the package; empty without plotly."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        return ""
    file = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def run_page() -> str:
    """The page of a run; the page's URL says which."""
    plotly = asset("plotly.min.js").address if plotly_js() else ""
    return _page(_links("run.js", "Search"), _RUN_HEADER, _RUN_BODY, attributes=f' data-plotly="{plotly}"')


@cache
def fleet_page() -> str:
    """The page of a fleet's run; the page's URL says which."""
    return _page(_links("fleet.js", "Fleet"), _RUN_HEADER, _FLEET_BODY)


@cache
def searches_page() -> str:
    """The page of all searches."""
    return _page(_links("searches.js", "Searches"), _SEARCHES_HEADER, _SEARCHES_BODY)


def report_page(head: str, scripts: str, *, fleet: bool = False) -> str:
    """The page of a run that is a file of its own.

    Args:
        head: title, policy and styles.
        scripts: the run's data and the scripts that show it.
        fleet: whether the run is a fleet's.
    """
    return _page(head, _RUN_HEADER, f"{_FLEET_BODY if fleet else _RUN_BODY}\n{scripts}")


def _page(head: str, header: str, body: str, attributes: str = "") -> str:
    return Template(_read("page.html")).substitute(head=head, header=header, body=body, attributes=attributes)


def _links(script: str, title: str) -> str:
    """A page's title and the links to its styles and scripts.

    The page's security policy forbids inline styles. Plotly adds two unless it finds elements of certain ids: its
    rules go into the style sheet `plotly.js-style-global`, and an empty `meta` keeps out the style of its maps.
    """
    return "\n".join(
        [
            f"<title>{title}</title>",
            f'<link rel="stylesheet" href="{asset("tabulator.min.css").address}">',
            f'<link rel="stylesheet" href="{asset("style.css").address}">',
            f'<link rel="stylesheet" href="{asset("plotly-style.css").address}" id="plotly.js-style-global">',
            f'<script src="{asset("tabulator.min.js").address}" defer></script>',
            f'<script src="{asset(script).address}" type="module"></script>',
            *(f'<meta id="{style}">' for style in _map_styles()),
        ]
    )


def _map_styles() -> list[str]:
    """Ids of the style elements of plotly's maps: digests, and the only literal ids that plotly.js looks up."""
    return re.findall(r'getElementById\("([0-9a-f]{64})"\)', plotly_js())


def _read(name: str) -> str:
    return (files("windtunnel.report") / "assets" / name).read_text(encoding="utf-8")
