"""Where ledgers live. A store is chosen by the URL's scheme; a plain path is a local folder."""

from windtunnel.stores.base import Entry, Metadata, Store
from windtunnel.stores.open import open_store

__all__ = ["Entry", "Metadata", "Store", "open_store"]
