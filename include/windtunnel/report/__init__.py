"""What people see of a run: plain data, the report's files, and the live display."""

from windtunnel.report.reader import RunReader, collect
from windtunnel.report.snapshot import Snapshot
from windtunnel.report.write import write_report

__all__ = ["RunReader", "Snapshot", "collect", "write_report"]
