"""What the page's views show, as JSON's own types: asked for one by one, or all at once in `report.html`."""

from windtunnel.report.documents.compare import compare
from windtunnel.report.documents.curves import Curves, curves
from windtunnel.report.documents.importance import importance
from windtunnel.report.documents.lanes import lanes
from windtunnel.report.documents.overview import overview
from windtunnel.report.documents.trial import trial
from windtunnel.report.documents.trials import trials

__all__ = ["Curves", "compare", "curves", "importance", "lanes", "overview", "trial", "trials"]
