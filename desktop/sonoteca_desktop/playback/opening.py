"""Getting a sound ready to play, in a thread of its own: find its bytes, read its header."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sonoteca_desktop.playback.source import LocalFile, Source, probe_sound
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_desktop.transfers.stream import Remote, Stream
from sonoteca_shared.digests import etag
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound

# How far to read ahead of the playhead: enough to live through a short cut of the line, little
# enough that listening to the first seconds of a long recording does not fetch it all.
AHEAD_S = 30.0
AHEAD_BYTES = 8 << 20
# But never less than this, for sounds of many channels and high rates.
LEAST_AHEAD_S = 5.0
# Playing begins when so much is there.
PREBUFFER_S = 0.2

_HEADER_AHEAD = 512 << 10


class Opening:
    """One sound on its way to be played: then `source` is there, or `failure` says why not."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.source: Source | None = None
        self.failure = ""
        self.cancelled = False
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._thread: threading.Thread | None = None

    def attach(self, stream: Stream) -> None:
        """Note the connection that this sound comes over."""
        with self._lock:
            self._stream = stream
            cancelled = self.cancelled
        if cancelled:
            stream.close()

    def run(self, work: Callable[[], None]) -> None:
        """Do the opening in a thread of its own."""
        self._thread = threading.Thread(target=work, name="opening", daemon=True)
        self._thread.start()

    def cancel(self, wait: float = 0.0) -> None:
        """Nobody listens any more: drop the connection, whether or not the sound was ready.

        `wait` up to so many seconds for each of its threads to end.
        """
        with self._lock:
            self.cancelled = True
            stream = self._stream
        if stream is not None:
            stream.close(wait)
        if wait and self._thread is not None:
            self._thread.join(wait)


class Opener:
    """Opens sounds; what was heard of them is kept, so that it is not fetched again."""

    def __init__(self, remote: Remote, heard: SoundCache) -> None:
        self._remote = remote
        self._heard = heard

    def open(
        self, sound: Sound, local: Path | None, start: float, opened: Callable[[Opening], None]
    ) -> Opening:
        """Begin to open a sound; `opened` is called, in another thread, when that came to an end.

        The file on this computer is taken if it is what the catalogue says, else the server's.
        """
        opening = Opening(sound)

        def run() -> None:
            try:
                opening.source = self._open_local(sound, local) or self._open_remote(opening, start)
            except SonotecaError as error:
                opening.failure = str(error)
            except OSError as error:
                opening.failure = f"The sound cannot be kept on this computer: {error.strerror}."
            if not opening.cancelled:
                opened(opening)

        opening.run(run)
        return opening

    def _open_local(self, sound: Sound, local: Path | None) -> Source | None:
        if local is None:
            return None
        try:
            file = LocalFile(local)
            if file.size != sound.size:
                return None
            return Source(probe_sound(file.read, file.size), file)
        except OSError:
            return None  # gone, or on a drive that was pulled out: the server has it still

    def _open_remote(self, opening: Opening, start: float) -> Source:
        sound = opening.sound
        cache = self._heard.open(sound.sha256, sound.size)
        stream = Stream(
            self._remote, sound.links.file, etag(sound.sha256), cache, ahead=_HEADER_AHEAD
        )
        opening.attach(stream)
        try:
            facts = probe_sound(stream.fetch, sound.size)
            source = Source(facts, stream)
            byte_rate = facts.samplerate * facts.block_align
            ahead = min(AHEAD_BYTES, AHEAD_S * byte_rate)
            stream.ahead = int(max(ahead, LEAST_AHEAD_S * byte_rate))
            stream.fetch(source.offset(int(start * facts.samplerate)), int(PREBUFFER_S * byte_rate))
        except SonotecaError:
            stream.close()
            raise
        return source
