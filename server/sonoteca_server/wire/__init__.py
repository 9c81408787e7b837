"""Bytes between socket and disk."""
