"""The table of URLs: the map of the server. The short paths are rows of it like any other."""

from __future__ import annotations

import re

from tornado.routing import URLSpec

from sonoteca_server.handlers.archives import (
    ArchiveFileHandler,
    ArchiveHandler,
    ArchivesHandler,
)
from sonoteca_server.handlers.changes import ChangesHandler
from sonoteca_server.handlers.collections import (
    CollectionHandler,
    CollectionsHandler,
    CollectionSoundsHandler,
)
from sonoteca_server.handlers.convert import ConvertHandler
from sonoteca_server.handlers.downloads import DownloadHandler, SoundFileHandler
from sonoteca_server.handlers.edits import (
    BatchHandler,
    EditableSoundHandler,
    HistoryHandler,
    RevertHandler,
    UndoHandler,
)
from sonoteca_server.handlers.facets import FacetsHandler
from sonoteca_server.handlers.formats import FormatsHandler
from sonoteca_server.handlers.handler import Handler, Services, UnknownPath
from sonoteca_server.handlers.jobs import JobHandler, JobsHandler
from sonoteca_server.handlers.objects import HaveHandler, ObjectHandler, PutHandler
from sonoteca_server.handlers.pages import (
    HealthHandler,
    PageHandler,
    SoundPageHandler,
    StyleHandler,
)
from sonoteca_server.handlers.peaks import PeaksHandler
from sonoteca_server.handlers.presets import PresetHandler, PresetsHandler
from sonoteca_server.handlers.repositories import RepositoriesHandler, RepositoryHandler
from sonoteca_server.handlers.sounds import (
    ChunksHandler,
    FindingsHandler,
    InfoHandler,
    ListHandler,
)
from sonoteca_server.handlers.trash import RestoreHandler, TrashedHandler, TrashHandler
from sonoteca_server.handlers.tus import CreationHandler, UploadPartHandler
from sonoteca_server.handlers.uploads import SoundsHandler, UploadHandler
from sonoteca_shared import routes

# What is asked for again and again stands first: every request walks down from there.
TABLE: tuple[tuple[str, type[Handler]], ...] = (
    (routes.SOUND_FILE, SoundFileHandler),
    (routes.SOUND_PEAKS, PeaksHandler),
    (routes.SOUNDS, SoundsHandler),
    (routes.SOUND, EditableSoundHandler),
    (routes.CHANGES, ChangesHandler),
    (routes.PAGE, PageHandler),
    (routes.SOUND_PAGE, SoundPageHandler),
    (routes.STYLE, StyleHandler),
    (routes.HEALTH, HealthHandler),
    (routes.POST, UploadHandler),
    (routes.UPLOAD, UploadHandler),
    (routes.LIST, ListHandler),
    (routes.INFO, InfoHandler),
    (routes.DOWNLOAD, DownloadHandler),
    (routes.CONVERT, ConvertHandler),
    (routes.DATA_PUT, PutHandler),
    (routes.DATA, ObjectHandler),
    (routes.ARCHIVES, ArchivesHandler),
    (routes.ARCHIVE, ArchiveHandler),
    (routes.ARCHIVE_FILE, ArchiveFileHandler),
    (routes.UPLOADS, CreationHandler),
    (routes.UPLOAD_PART, UploadPartHandler),
    (routes.SOUNDS_BATCH, BatchHandler),
    (routes.SOUND_CHUNKS, ChunksHandler),
    (routes.SOUND_FINDINGS, FindingsHandler),
    (routes.SOUND_HISTORY, HistoryHandler),
    (routes.SOUND_REVERT, RevertHandler),
    (routes.UNDO, UndoHandler),
    (routes.HAVE, HaveHandler),
    (routes.COLLECTIONS, CollectionsHandler),
    (routes.COLLECTION, CollectionHandler),
    (routes.COLLECTION_SOUNDS, CollectionSoundsHandler),
    (routes.REPOSITORIES, RepositoriesHandler),
    (routes.REPOSITORY, RepositoryHandler),
    (routes.TRASH, TrashHandler),
    (routes.TRASHED, TrashedHandler),
    (routes.TRASH_RESTORE, RestoreHandler),
    (routes.FACETS, FacetsHandler),
    (routes.JOBS, JobsHandler),
    (routes.JOB, JobHandler),
    (routes.FORMATS, FormatsHandler),
    (routes.PRESETS, PresetsHandler),
    (routes.PRESET, PresetHandler),
)


def url_specs(services: Services) -> list[URLSpec]:
    """The table as Tornado mounts it."""
    neighbours = {"services": services}
    return [URLSpec(_pattern(path), handler, neighbours) for path, handler in TABLE] + [
        URLSpec(r".*", UnknownPath, neighbours)
    ]


def _pattern(path: str) -> str:
    """A route as a regular expression: `{part}` is one part of the path, without a slash."""
    parts = re.split(r"\{\w+\}", path)
    return "([^/]+)".join(re.escape(part) for part in parts) + "$"
