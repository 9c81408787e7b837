"""Which frame comes next, and which one is heard now: pure arithmetic, no clock and no device."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

# A device is never more than a second behind, and marks are made at most once a pull.
_MARKS = 512


@dataclass(frozen=True, slots=True)
class Mark:
    """From output frame `out` on, source frames run from `frame`, or silence stands there."""

    out: int
    frame: int
    moving: bool


class Timeline:
    """Maps the frames that a device was given to the frames of the sound.

    A device plays what it was given some time ago. To know what is heard now, each place where the
    sound did not simply go on (a seek, silence while bytes are on their way) leaves a mark.
    """

    def __init__(self, frames: int, start: int = 0) -> None:
        self.frames = frames
        self.position = min(max(start, 0), frames)
        """The source frame that comes next."""
        self.handed_out = 0
        """How many frames the device was given, silence included."""
        self._marks = [Mark(0, self.position, moving=True)]

    @property
    def ended(self) -> bool:
        """Whether no frame of the sound is left."""
        return self.position >= self.frames

    def next_run(self, wanted: int) -> int:
        """How many of the frames wanted follow each other from `position` on."""
        return min(wanted, self.frames - self.position)

    def advance(self, count: int) -> None:
        """Count so many frames of the sound as handed out."""
        self._mark(moving=True)
        self.position += count
        self.handed_out += count

    def stall(self, count: int) -> None:
        """Count so many frames of silence as handed out, in which the sound stands still."""
        self._mark(moving=False)
        self.handed_out += count

    def seek(self, frame: int) -> None:
        """Go on at another frame of the sound."""
        self.position = min(max(frame, 0), self.frames)
        self._mark(moving=True)

    def source_at(self, out: int) -> int:
        """The source frame that is heard when the device plays its output frame `out`."""
        out = min(max(out, 0), self.handed_out)
        mark = self._marks[max(0, bisect_right(self._marks, out, key=lambda each: each.out) - 1)]
        return min(mark.frame + (out - mark.out if mark.moving else 0), self.frames)

    def _mark(self, *, moving: bool) -> None:
        last = self._marks[-1]
        runs_to = last.frame + (self.handed_out - last.out if last.moving else 0)
        if last.moving == moving and runs_to == self.position:
            return
        if last.out == self.handed_out:
            self._marks.pop()
        self._marks.append(Mark(self.handed_out, self.position, moving))
        del self._marks[:-_MARKS]
