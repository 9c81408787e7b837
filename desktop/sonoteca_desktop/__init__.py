"""The Sonoteca desktop client: the window in which a sound library is used."""
