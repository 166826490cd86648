"""A store in Azure Blob Storage: `azure://container/prefix`."""

from windtunnel.stores.azure.store import AzureStore

__all__ = ["AzureStore"]
