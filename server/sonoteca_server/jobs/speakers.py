"""For which speakers channels are, as far as anybody says, and how ffmpeg is told of it.

Before ffmpeg adds noise it works out how it would mix, even where nothing is mixed, and refuses
what it cannot mix: channels of which nobody says where they belong, and rooms with half a pair of
speakers. Such channels get names for as long as they are computed, which only keep them apart.
"""

from __future__ import annotations

from enum import Enum

# By number of channels: ffmpeg's name, and the speakers as a WAV counts them.
_LAYOUTS = (
    ("mono", 0x4),
    ("stereo", 0x3),
    ("3.0", 0x7),
    ("quad", 0x33),
    ("5.0", 0x37),
    ("5.1", 0x3F),
    ("6.1", 0x70F),
    ("7.1", 0x63F),
)
MIXABLE = len(_LAYOUTS)
"""The most channels of which it is known where they belong."""
_FRONT = 0x7
_PAIRS = (0x3, 0x30, 0xC0, 0x600)
# Speakers that are no half of a pair, and of which BS.1770 lets each count as much as any other.
_ALONE = (2, 11, 13, *range(18, 33), *range(36, 64))
MEASURABLE = len(_ALONE)
"""The most channels of unknown place of which ffmpeg measures the loudness."""


class Places(Enum):
    """What is known of the places of channels."""

    USUAL = "usual"
    """Said by the sound or by their number, and ffmpeg can mix them."""
    ODD = "odd"
    """Said by the sound, and ffmpeg cannot mix them."""
    UNKNOWN = "unknown"


def places_of(channels: int, mask: int) -> Places:
    """What a WAV with this mask of speakers says of the places of its channels."""
    if mask.bit_count() != channels:
        return Places.USUAL if channels <= MIXABLE else Places.UNKNOWN
    whole = all(mask & pair in (0, pair) for pair in _PAIRS)
    return Places.USUAL if whole and mask & _FRONT else Places.ODD


def mask_of(channels: int) -> int:
    """The speakers of a result that was mixed to so many channels."""
    return _LAYOUTS[channels - 1][1]


def layout_of(channels: int) -> str:
    """What ffmpeg calls them."""
    return _LAYOUTS[channels - 1][0]


def ordered(channels: int) -> str:
    """The filter that makes channels the usual ones of their number, as they stand."""
    return _taken(range(channels), layout_of(channels))


def counted(channels: int) -> str:
    """The filter that lets each channel count as much as any other in a loudness."""
    return _taken(range(channels), _names(channels))


def apart(resampling: str, channels: int) -> str:
    """The filters that do a resampling to each channel by itself; they come out without names."""
    # The noise of two groups is the same, so they are as large as can be.
    groups = [
        range(first, min(first + len(_ALONE), channels))
        for first in range(0, channels, len(_ALONE))
    ]
    each = [
        f"{_taken(group, _names(len(group)))},{resampling}:ochl={_names(len(group))}"
        for group in groups
    ]
    # Else the names would be told as if they were the sound's.
    nameless = _taken(range(channels), f"{channels}C")
    if len(groups) == 1:
        return f"{each[0]},{nameless}"
    ways = [(f"[in{number}]", f"[out{number}]") for number in range(len(groups))]
    split = f"asplit={len(ways)}{''.join(begin for begin, _ in ways)}"
    chains = [f"{begin}{chain}{end}" for (begin, end), chain in zip(ways, each, strict=True)]
    merge = f"{''.join(end for _, end in ways)}amerge=inputs={len(ways)},{nameless}"
    return ";".join([split, *chains, merge])


def _taken(channels: range, layout: str) -> str:
    return f"channelmap={'|'.join(map(str, channels))}:{layout}"


def _names(count: int) -> str:
    return hex(sum(1 << speaker for speaker in _ALONE[:count]))
