"""What people see of a run: plain data, the report's files, and the live display."""

from windtunnel.report.view import RunView, collect
from windtunnel.report.write import write_report

__all__ = ["RunView", "collect", "write_report"]
