"""What a device pulls from: frame after frame of one sound, with seeks, waits and an end."""

from __future__ import annotations

import threading

from sonoteca_desktop.playback.source import Source
from sonoteca_desktop.playback.timeline import Timeline
from sonoteca_shared.errors import SonotecaError

# Devices drop what is in their last period when they are stopped: silence has to push it out.
PADDING_S = 0.15
# After a gap sound goes on only when so much is there, else it would be all gaps.
REBUFFER_S = 0.15


class Reader:
    """Hands out the frames of a sound; `pull` in one thread, everything else in any thread.

    Reading happens outside of the lock: asking for the position never waits for a disk.
    """

    def __init__(self, source: Source, start: int = 0) -> None:
        self.source = source
        self.ended = False
        """Everything was handed out, the padding too."""
        self.failure = ""
        """Why the sound cannot go on, as a sentence; empty while it can."""
        self.starved = False
        """Silence is handed out, since the bytes are on their way."""
        self._lock = threading.Lock()
        self._timeline = Timeline(source.frames, start)
        self._seeks = 0
        self._padding = int(PADDING_S * source.rate)

    @property
    def rate(self) -> int:
        return self.source.rate

    def pull(self, frames: int) -> bytes:
        """The next frames; fewer, and at last none, only when the sound has ended."""
        blocks: list[bytes] = []
        wanted = frames
        while wanted > 0 and not self.ended:
            block = self._next_block(wanted)
            blocks.append(block)
            wanted -= len(block) // self.source.frame_bytes
        return b"".join(blocks)

    def seek(self, frame: int) -> None:
        """Go on at another frame, in the middle of what is handed out."""
        with self._lock:
            self._timeline.seek(frame)
            self._seeks += 1
            self._padding = int(PADDING_S * self.rate)
            self.ended = False
            target = self._timeline.position
        self.source.aim(target)

    def abandon(self) -> None:
        """Hand out nothing more: the device that pulls here was told to stop."""
        with self._lock:
            self.ended = True

    @property
    def handed_out(self) -> int:
        """How many frames the device was given, silence included."""
        with self._lock:
            return self._timeline.handed_out

    def source_at(self, out: int) -> int:
        """The frame of the sound that is heard when the device plays its output frame `out`."""
        with self._lock:
            return self._timeline.source_at(out)

    def _next_block(self, wanted: int) -> bytes:
        with self._lock:
            seeks, position = self._seeks, self._timeline.position
            if self._timeline.ended:
                return self._pad(wanted)
            run = self._timeline.next_run(wanted)
        data = self._read(position, run)
        count = len(data) // self.source.frame_bytes
        with self._lock:
            if seeks != self._seeks or self.ended:
                return b""  # somebody went elsewhere meanwhile: this is not wanted any more
            if count:
                self._timeline.advance(count)
                return data
            self._timeline.stall(wanted)
            return self.source.format.silence(wanted * self.source.channels)

    def _read(self, position: int, run: int) -> bytes:
        """Frames if enough of them are there to go on; none otherwise."""
        try:
            if self.starved and not self.source.ready(position, int(REBUFFER_S * self.rate)):
                self.source.aim(position)
                return b""
            data = self.source.read(position, run)
        except (OSError, SonotecaError) as error:
            self.failure = str(error)
            self.ended = True
            return b""
        self.starved = not data
        return data

    def _pad(self, wanted: int) -> bytes:
        count = min(wanted, self._padding)
        self._padding -= count
        self.ended = self._padding == 0
        self._timeline.stall(count)
        return self.source.format.silence(count * self.source.channels)
