"""The calls of tus 1.0.0 to one server; what they mean for an upload is for `upload.py` to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from sonoteca_desktop.answers import Answer
from sonoteca_desktop.client import UPLOAD_TIMEOUT, Body, Client
from sonoteca_desktop.transfers.plan import BadReplyError
from sonoteca_shared import routes, tus
from sonoteca_shared.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an upload is on the server, in bytes; and the path of the sound that it became."""

    offset: int
    sound: str = ""


class Tus:
    """Uploads that can be resumed, with one server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, length: int, metadata: Mapping[str, str]) -> str:
        """Begin an upload of so many bytes; the path where it goes on."""
        headers = {
            "Upload-Length": str(length),
            "Upload-Metadata": tus.format_metadata(metadata),
        }
        response = self._request("POST", routes.UPLOADS, headers)
        return self._path(response.headers.get("Location", ""))

    def look(self, path: str, *, timeout: float = UPLOAD_TIMEOUT) -> Standing:
        """How far an upload is; whatever else was sending for it is ended."""
        # It may have to be finished first, which takes its time.
        return _standing(self._request("HEAD", path, silence_timeout=timeout))

    def append(self, path: str, offset: int, body: Body) -> Standing:
        """Send bytes for an offset."""
        headers = {"Upload-Offset": str(offset), "Content-Type": tus.MEDIA_TYPE}
        return _standing(
            self._request("PATCH", path, headers, data=body, silence_timeout=UPLOAD_TIMEOUT)
        )

    def end(self, path: str) -> None:
        """Have the server drop what it got."""
        self._request("DELETE", path)

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        data: Body | None = None,
        silence_timeout: float | None = None,
    ) -> Answer:
        headers = {"Tus-Resumable": tus.VERSION, **(headers or {})}
        return self._client.request(
            method, path, headers=headers, data=data, silence_timeout=silence_timeout
        )

    def _path(self, location: str) -> str:
        """The path of a Location, which is remembered: the server may move to another port."""
        base = self._client.base_url
        url = urljoin(base + routes.UPLOADS, location)
        if not location or not url.startswith(f"{base}/"):
            raise BadReplyError(f"the server sends uploads elsewhere, to “{location[:80]}”")
        return url.removeprefix(base)


def _standing(response: Answer) -> Standing:
    try:
        offset = tus.parse_offset(response.headers)
    except BadRequestError as error:
        raise BadReplyError(f"the server does not say how far the upload is: {error}") from error
    return Standing(offset, response.headers.get("Sonoteca-Sound", ""))
