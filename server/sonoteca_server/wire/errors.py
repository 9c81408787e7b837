"""What HTTP itself can have against a request."""

from __future__ import annotations

from sonoteca_shared.errors import BadRequestError, SonotecaError


class TooLargeError(SonotecaError):
    """The body is larger than this server takes."""

    code = "too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the file is larger than the {limit} bytes that this server takes")
        self.limit = limit


class MisdirectedError(SonotecaError):
    """The request names a host that this server does not answer for."""

    code = "misdirected"


class ForeignOriginError(SonotecaError):
    """A web page of another site tried to change something."""

    code = "foreign-origin"


class MethodNotAllowedError(SonotecaError):
    """The path does not take this method."""

    code = "method-not-allowed"

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not for this path; it takes {', '.join(allowed)}")
        self.headers = {"Allow": ", ".join(allowed)}


class MediaTypeError(SonotecaError):
    """The body is of a kind that the path does not take."""

    code = "media-type"


class PreconditionRequiredError(SonotecaError):
    """An edit does not say which revision it is of."""

    code = "precondition-required"

    def __init__(self) -> None:
        super().__init__(
            "say with If-Match which revision you edit: the ETag of the sound; "
            "so nobody overwrites what somebody else just wrote"
        )


class PeaksPendingError(SonotecaError):
    """The waveform overview is not computed yet."""

    code = "peaks-pending"

    def __init__(self) -> None:
        super().__init__("the waveform of this sound is still being computed")
        self.headers = {"Retry-After": "1"}


class ArchivePendingError(SonotecaError):
    """The archive is not ready yet."""

    code = "archive-pending"

    def __init__(self) -> None:
        super().__init__("the files of this archive are still being fetched")
        self.headers = {"Retry-After": "2"}


class ArchiveGoneError(SonotecaError):
    """The archive was cancelled."""

    code = "archive-gone"

    def __init__(self) -> None:
        super().__init__("this archive was cancelled: create another one")


class StoppingError(SonotecaError):
    """The server is about to end and takes no more requests."""

    code = "stopping"

    def __init__(self) -> None:
        super().__init__("the server is stopping; try again in a moment")
        self.headers = {"Retry-After": "5"}


class BodyBrokenError(BadRequestError):
    """The body ended early or does not follow its own form."""

    code = "body-broken"


class TooManyError(SonotecaError):
    """One address asks for too much at the same time."""

    code = "too-many-requests"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"your address has {most} searches or waveforms running already: "
            "wait for some of them to end"
        )
        self.headers = {"Retry-After": "1"}
