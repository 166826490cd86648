"""A fleet's run at one moment, and all that shows it: status, results, the page and the report."""

from windtunnel.report.fleet.snapshot import FleetReader, FleetSnapshot, is_fleets

__all__ = ["FleetReader", "FleetSnapshot", "is_fleets"]
