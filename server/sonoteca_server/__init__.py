"""The Sonoteca server: keeps WAV recordings and serves them to a team."""
