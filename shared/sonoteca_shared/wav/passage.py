"""How a sound goes into another file: which frames of it, and how places and times count there."""

from __future__ import annotations

from dataclasses import dataclass

_FURTHEST = 0xFFFFFFFF
"""No marker counts further, however long the sound is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Frames of a sound on their way into another file, which may have another sample rate."""

    frames: range
    """Those that go along, without gaps."""
    samplerate: int
    target_rate: int
    order: str = "<"
    """The byte order of the sound's file, as `struct` writes it."""
    target_order: str = "<"
    target_bits: int | None = None
    """Bits of a sample in the other file; None where samples stay as they are."""
    is_mixed: bool = False
    """Whether the channels are others than before."""
    is_as_loud: bool = True
    """Whether what was measured of the sound is true of the passage too."""

    @property
    def is_on_grid(self) -> bool:
        """Whether each sample of it was a sample of the sound, in the same channel."""
        return self.samplerate == self.target_rate and not self.is_mixed

    @property
    def length(self) -> int:
        """Frames in the other file."""
        return self.scaled(len(self.frames))

    def scaled(self, count: int) -> int:
        """So many frames of the sound in frames of the other file, to the nearest."""
        return (2 * count * self.target_rate + self.samplerate) // (2 * self.samplerate)

    def place(self, at: int) -> int | None:
        """Where a frame of the sound is in the other file; None where it does not go along."""
        if at not in self.frames:
            return None
        # Fewer frames than before: the last of them may be nearest to what is none any more.
        place = min(self.scaled(at - self.frames.start), max(0, self.length - 1))
        return place if place <= _FURTHEST else None

    def stretch(self, at: int, count: int) -> int:
        """How long a stretch is that begins at a frame which goes along, and ends with them."""
        end = self.scaled(min(at + count, self.frames.stop) - self.frames.start)
        return min(_FURTHEST, max(0, end - (self.place(at) or 0)))

    def since_midnight(self, began: int) -> int:
        """When the passage began, by a clock of the other file's rate, if the sound began then."""
        return self.scaled(began + self.frames.start)
