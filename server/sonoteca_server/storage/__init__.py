"""Bytes by name: blobs under random keys, written once and never changed."""
