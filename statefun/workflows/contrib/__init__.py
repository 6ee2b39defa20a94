"""Converters for other libraries."""
