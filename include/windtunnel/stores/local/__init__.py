"""A store in a local folder."""

from windtunnel.stores.local.store import LocalStore

__all__ = ["LocalStore"]
