"""Sound out: from the bytes of a WAV to what can be heard, and where in it we are."""
