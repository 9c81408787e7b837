"""Every URL path by name; the server mounts them, the clients fill them in."""

from __future__ import annotations

from urllib.parse import quote, urlencode

LIBRARY = "Sonoteca-Library"
"""The header field by which every answer names the library that it is about."""

POST = "/post"
UPLOAD = "/upload"
LIST = "/list"
INFO = "/info"
DOWNLOAD = "/download"
CONVERT = "/convert"
HEALTH = "/healthz"
PAGE = "/"
STYLE = "/page.css"
SOUND_PAGE = "/sound/{id}"
DATA_PUT = "/data/{repository}"
DATA = "/data/{repository}/{oid}"
ARCHIVES = "/api/archive/create"
ARCHIVE = "/api/archive/status/{hash}"
ARCHIVE_FILE = "/archive/get/{hash}.zip"
UPLOADS = "/files/"
UPLOAD_PART = "/files/{id}"

API = "/api/v1"
SOUNDS = API + "/sounds"
SOUND = API + "/sounds/{id}"
SOUND_FILE = API + "/sounds/{id}/file"
SOUND_PEAKS = API + "/sounds/{id}/peaks"
SOUNDS_BATCH = API + "/sounds:batch"
SOUND_CHUNKS = API + "/sounds/{id}/chunks"
SOUND_FINDINGS = API + "/sounds/{id}/findings"
SOUND_HISTORY = API + "/sounds/{id}/history"
SOUND_REVERT = API + "/sounds/{id}/revert"
COLLECTIONS = API + "/collections"
COLLECTION = API + "/collections/{id}"
COLLECTION_SOUNDS = API + "/collections/{id}/sounds"
REPOSITORIES = API + "/repositories"
REPOSITORY = API + "/repositories/{name}"
TRASH = API + "/trash"
TRASHED = API + "/trash/{id}"
TRASH_RESTORE = API + "/trash/{id}/restore"
JOBS = API + "/jobs"
JOB = API + "/jobs/{id}"
UNDO = API + "/undo"
HAVE = API + "/have"
FACETS = API + "/facets"
CHANGES = API + "/changes"
PRESETS = API + "/presets"
FORMATS = API + "/formats"
PRESET = API + "/presets/{name}"


def fill(path: str, /, **parts: str) -> str:
    """A path with its parts filled in, each quoted."""
    return path.format(**{name: quote(part, safe="") for name, part in parts.items()})


def with_query(path: str, **arguments: str) -> str:
    """A path with arguments; those that are empty are left out."""
    present = {name: value for name, value in arguments.items() if value}
    return f"{path}?{urlencode(present, quote_via=quote)}" if present else path


def content_path(repository: str, sha256: str, name: str) -> str:
    """Where the bytes of an object are, for ever: they never change under this path."""
    return with_query(fill(DATA, repository=repository, oid=sha256), filename=name)
