"""A run as one HTML file: the results page with all its data, and plotly.js, with nothing fetched from anywhere."""

import base64
import hashlib
import html
import json
from typing import Any

from windtunnel.ledger import Ledger
from windtunnel.report import payloads
from windtunnel.report.fleet import FleetSnapshot
from windtunnel.report.fleet import payloads as fleet
from windtunnel.report.pages import asset, plotly_js, report_page
from windtunnel.report.snapshot import Snapshot

_DETAILED = 200  # trials of which the file has more than the tables show: finalists, failures, the front
_BLOCKS = 25  # of a fleet's partitions that the file has
_LARGEST, _ALL = 500_000, 10_000_000  # bytes of one artifact that the file holds, and of all that it holds


def render(snapshot: Snapshot, ledger: Ledger) -> str:
    """The page. Without plotly installed it has no charts and says so."""
    libraries = [asset("tabulator.min.js").text, plotly_js()]
    styles = asset("tabulator.min.css").text + asset("style.css").text
    return _document(snapshot, _data(snapshot, ledger), "run.js", styles, libraries)


def render_fleet(snapshot: FleetSnapshot) -> str:
    """The page of a fleet's run, with its first partitions where they are very many."""
    overview = fleet.overview(snapshot)
    blocks = overview["blocks"] = overview["blocks"][:_BLOCKS]
    data = {"fleet": overview, "partitions": [fleet.block(snapshot, number) for number in range(len(blocks))]}
    return _document(snapshot, data, "fleet.js", asset("style.css").text, [])


def _document(
    snapshot: Snapshot | FleetSnapshot, data: dict[str, Any], script: str, styles: str, libraries: list[str]
) -> str:
    """A run's data with the script that shows it, and what that needs.

    The run's values travel as JSON and become text nodes in the browser. Should one ever become markup, the page's
    content security policy lets no script run but its own, by digest, and nothing be loaded.
    """
    module = asset(script).text
    title = html.escape(f"{snapshot.search} · {snapshot.run}")
    head = "\n".join(
        [
            f'<meta http-equiv="Content-Security-Policy" content="{_policy([*filter(None, libraries), module])}">',
            f"<title>{title}</title>",
            f"<style>{styles}</style>",
        ]
    )
    parts = [f'<script type="application/json" id="data">{_json(data)}</script>']
    parts += [f"<script>{library}</script>" for library in libraries if library]
    parts.append(f'<script type="module">{module}</script>')
    return report_page(head, "\n".join(parts), fleet=isinstance(snapshot, FleetSnapshot))


def _data(snapshot: Snapshot, ledger: Ledger) -> dict[str, Any]:
    """What the page would ask the server for."""
    names = [name for model in snapshot.models for name in (model.trial.trial, model.partial) if name]
    names += [
        each.trial for each in snapshot.trials if snapshot.state(each) == "failed" or each.trial in snapshot.front
    ]
    detailed = [trial for name in dict.fromkeys(names) if (trial := snapshot.find(name))][:_DETAILED]
    details = {trial.trial: payloads.trial(snapshot, ledger, trial) for trial in detailed}
    _hold_artifacts(ledger, details)
    return {
        "overview": payloads.overview(snapshot),
        "trials": payloads.trials(snapshot),
        "curves": payloads.curves(snapshot, payloads.Curves(ledger)) | {"next": None},
        "importance": payloads.importance(snapshot),
        "lanes": payloads.lanes(snapshot),
        "details": details,
    }


def _hold_artifacts(ledger: Ledger, details: dict[str, dict[str, Any]]) -> None:
    """Put small artifacts into the page: one in a folder may not read other files. The rest are links."""
    left = _ALL
    for trial, detail in details.items():
        for file in detail["artifacts"]:
            if file["size"] <= min(_LARGEST, left):
                content = ledger.store.read(ledger.trial_path(trial, file["name"]), 0, _LARGEST)
                file["content"] = base64.b64encode(content).decode()
                left -= len(content)


def _json(value: Any) -> str:
    """JSON that cannot end the element that holds it."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _policy(scripts: list[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
