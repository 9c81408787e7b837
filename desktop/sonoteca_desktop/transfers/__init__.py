"""Moving bytes between this computer and a server; no Qt in here."""
