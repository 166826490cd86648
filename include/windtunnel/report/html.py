"""A run as one HTML file: the data, the page that draws it, and plotly.js, with nothing fetched from anywhere."""

import base64
import hashlib
import html
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from windtunnel.report.documents.plain import plain
from windtunnel.report.view import RunView

_SCRIPTS = ("page.js", "charts.js", "tables.js")
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def render(view: RunView, curves: Mapping[str, Any]) -> str:
    """The page. Without plotly installed it has no charts and says so.

    The run's values travel as JSON and become text nodes in the browser. Should one ever become markup, the page's
    content security policy lets no script run but its own, by digest, and nothing be loaded.
    """
    scripts = [source for source in (plotly_js(), *map(_asset, _SCRIPTS)) if source]
    parts = {
        "title": html.escape(f"{view.search} · {view.run}"),
        "policy": _policy(scripts),
        "style": _asset("style.css"),
        "data": _json(view, curves),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    return _SLOT.sub(lambda slot: parts[slot[1]], _asset("page.html"))


@cache
def plotly_js() -> str:
    """The plotly.js that comes with the plotly package, found without importing it; empty without plotly."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        return ""
    file = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _asset(name: str) -> str:
    return (files("windtunnel.report") / "assets" / name).read_text(encoding="utf-8")


def _json(view: RunView, curves: Mapping[str, Any]) -> str:
    """JSON that cannot end the element that holds it."""
    return json.dumps(plain(asdict(view) | {"curves": curves}), allow_nan=False).replace("<", "\\u003c")


def _policy(scripts: list[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
