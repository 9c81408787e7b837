"""What the server and the desktop say to each other: nouns, rules and formats, without any IO."""

__version__ = "0.1.0"
