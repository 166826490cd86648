"""Workloads that come with Windtunnel."""
