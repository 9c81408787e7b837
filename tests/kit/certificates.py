"""Certificates of the test's own authority, made by openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.kit import engines


class Authority:
    """An authority that nobody knows but whoever is handed `trust`."""

    def __init__(self, folder: Path) -> None:
        self._openssl = engines.require("openssl")
        self._folder = folder
        self._request("ca", "-subj", "/CN=Authority of a test")

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client has that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self._folder / "ca.pem"))

    def serve_as(self, name: str, *, days: int = 2) -> ssl.SSLContext:
        """What a server has that is this host, as this authority says."""
        signed = ("-CA", str(self._folder / "ca.pem"), "-CAkey", str(self._folder / "ca.key"))
        kind = "IP" if name.replace(".", "").isdecimal() else "DNS"
        more = ("-subj", "/CN=test", "-addext", f"subjectAltName={kind}:{name}")
        self._request(name, *signed, *more, days=days)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return context

    def _request(self, name: str, *more: str, days: int = 2) -> None:
        command = [str(self._openssl), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days),
                   "-keyout", f"{name}.key", "-out", f"{name}.pem", *more]  # fmt: skip
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)
