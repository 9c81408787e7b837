"""Fonts, icons and the style sheet; data, no code."""
