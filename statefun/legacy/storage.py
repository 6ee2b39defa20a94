"""Old name of `statefun.sdk.storage`. The cells of old are gone; nothing outside used them."""

from statefun.sdk.storage import Storage, StorageSpec

__all__ = ["Storage", "StorageSpec"]
