"""A run as one HTML file: the results page with all its data, and plotly.js, with nothing fetched from anywhere."""

import base64
import hashlib
import html
import json
from typing import Any

from windtunnel.ledger import Ledger
from windtunnel.report import documents
from windtunnel.report.pages import asset, plotly_js, report_page
from windtunnel.report.view import RunView

_DETAILED = 200  # trials of which the file has more than the tables show: finalists, failures, the front


def render(view: RunView, ledger: Ledger) -> str:
    """The page. Without plotly installed it has no charts and says so.

    The run's values travel as JSON and become text nodes in the browser. Should one ever become markup, the page's
    content security policy lets no script run but its own, by digest, and nothing be loaded.
    """
    scripts = [asset("tabulator.min.js").text, plotly_js()]
    styles = asset("tabulator.min.css").text + asset("style.css").text
    module = asset("run.js").text
    title = html.escape(f"{view.search} · {view.run}")
    head = "\n".join(
        [
            f'<meta http-equiv="Content-Security-Policy" content="{_policy([*filter(None, scripts), module])}">',
            f"<title>{title}</title>",
            f"<style>{styles}</style>",
        ]
    )
    parts = [f'<script type="application/json" id="data">{_json(_data(view, ledger))}</script>']
    parts += [f"<script>{script}</script>" for script in scripts if script]
    parts.append(f'<script type="module">{module}</script>')
    return report_page(head, "\n".join(parts))


def _data(view: RunView, ledger: Ledger) -> dict[str, Any]:
    """What the page would ask the server for."""
    finalists = [name for model in view.models for name in (model.trial.trial, model.partial)]
    told = [name for name in finalists if name]
    told += [trial.trial for trial in view.trials if trial.state == "failed" or trial.front]
    chosen = [trial for name in dict.fromkeys(told) if (trial := view.find(name))][:_DETAILED]
    return {
        "overview": documents.overview(view),
        "trials": documents.trials(view),
        "curves": documents.curves(view, documents.Curves(ledger)) | {"next": None},
        "importance": documents.importance(view),
        "lanes": documents.lanes(view),
        "details": {trial.trial: documents.trial(view, ledger, trial) for trial in chosen},
    }


def _json(value: Any) -> str:
    """JSON that cannot end the element that holds it."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _policy(scripts: list[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
