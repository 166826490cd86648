"""What the page's views show, as JSON's own types: asked for one by one, or all at once in `report.html`."""

from windtunnel.report.payloads.compare import compare
from windtunnel.report.payloads.curves import Curves, curves
from windtunnel.report.payloads.importance import importance
from windtunnel.report.payloads.lanes import lanes
from windtunnel.report.payloads.overview import overview
from windtunnel.report.payloads.trial import saved_files, trial
from windtunnel.report.payloads.trials import trials

__all__ = ["Curves", "compare", "curves", "importance", "lanes", "overview", "saved_files", "trial", "trials"]
