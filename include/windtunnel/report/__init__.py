"""What people see of a run: plain data, the report's files, and the live display."""

from windtunnel.report.fleet import FleetReader, FleetSnapshot
from windtunnel.report.reader import RunReader, collect, reader_of
from windtunnel.report.snapshot import Snapshot
from windtunnel.report.write import write_report

__all__ = ["FleetReader", "FleetSnapshot", "RunReader", "Snapshot", "collect", "reader_of", "write_report"]
