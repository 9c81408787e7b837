"""The window: widgets show and ask, they do not decide."""
