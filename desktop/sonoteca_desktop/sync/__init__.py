"""A local copy of the catalogue that follows the server; no Qt."""
