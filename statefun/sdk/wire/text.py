"""Text and bytes from users: UTF-8 for protobuf strings, bytes for protobuf bytes."""

from __future__ import annotations

from statefun.errors import SerializationError

__all__ = ["as_bytes", "utf8"]


def utf8(text: object, what: str) -> bytes:
    """UTF-8 for a protobuf string, from a `str` or from `bytes` that are UTF-8 already.

    Args:
        text: The text.
        what: A noun for the error, such as "a target id".

    Raises:
        SerializationError: For any other type, invalid UTF-8, or a lone surrogate.
    """
    try:
        if isinstance(text, str):
            return text.encode()
        if isinstance(text, bytes):
            text.decode()
            return bytes(text)
    except UnicodeError as error:
        raise SerializationError(f"{what} is not valid Unicode: {error}") from error
    raise SerializationError(
        f"{what} must be str or UTF-8 bytes, got {type(text).__name__}: convert it first"
    )


def as_bytes(data: object, source: str) -> bytes:
    """The result of a serializer as bytes; text is encoded as UTF-8.

    Args:
        data: The result.
        source: The name of the serializer for the error.

    Raises:
        SerializationError: If it is neither bytes-like nor text.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, str):
        return utf8(data, f"the text that {source} returned")
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise SerializationError(
        f"{source} returned {type(data).__name__} where bytes were expected: "
        "let the serializer return bytes, or text to be encoded as UTF-8"
    )
