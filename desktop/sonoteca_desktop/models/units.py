"""How sizes, rates, lengths and dates are written for a person, the same everywhere."""

from __future__ import annotations

import html
from datetime import datetime

from sonoteca_shared.models import Loudness, Sound

_SIZES = ("B", "KB", "MB", "GB", "TB", "PB")
_CODECS = {"alaw": "A-law", "mulaw": "µ-law", "ima-adpcm": "ADPCM", "ms-adpcm": "ADPCM"}
_CHANNELS = {1: "Mono", 2: "Stereo"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def size(count: float) -> str:
    """A number of bytes: `412 MB`, `1.2 GB`."""
    number, unit = _scaled(count)
    return f"{number} {unit}"


def size_of(done: float, total: float) -> str:
    """How much of a whole: `412 of 980 MB`, the unit once when it is the same."""
    number, unit = _scaled(done)
    whole, whole_unit = _scaled(total)
    if unit == whole_unit or not done:
        return f"{number} of {whole} {whole_unit}"
    return f"{number} {unit} of {whole} {whole_unit}"


def speed(bytes_per_second: float) -> str:
    """A transfer speed: `12.1 MB/s`."""
    number, unit = _scaled(bytes_per_second, exact_below=99.95)
    return f"{number.removesuffix('.0')} {unit}/s"


def length(seconds: float) -> str:
    """A length to a tenth of a second: `0:07.5`, `1:02:07.5`; never rounded up."""
    tenths = int(max(seconds, 0.0) * 10 + 1e-6)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def time_left(seconds: float) -> str:
    """How long something still takes, as exact as is honest: `8 s left`, `1 h 20 min left`."""
    whole = max(1, round(seconds))
    if whole < 90:
        return f"{whole} s left"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min left"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours < 48 else f"{round(hours / 24)} days left"


def samplerate(hertz: int) -> str:
    """A sample rate: `44.1 kHz`."""
    return f"{hertz / 1000:.3f}".rstrip("0").rstrip(".") + " kHz"


def sample_format(sound: Sound) -> str:
    """Rate and resolution in short: `48 kHz · 24`, `192 kHz · 32f`, `8 kHz · A-law`."""
    if sound.format == "float":
        kind = f"{sound.bitdepth}f"
    else:
        kind = _CODECS.get(sound.format, str(sound.bitdepth or sound.format))
    return f"{samplerate(sound.samplerate)} · {kind}"


def channels(count: int) -> str:
    """A number of channels in words: `Mono`, `Stereo`, `6 channels`."""
    return _CHANNELS.get(count, f"{count} channels")


def loudness(measured: Loudness) -> str:
    """How loud a sound is: `−23.1 LUFS · range 7.2 LU · true peak −1.3 dBTP`."""
    figures = (
        (measured.integrated, "{} LUFS"),
        (measured.range, "range {} LU"),
        (measured.true_peak, "true peak {} dBTP"),
    )
    told = [words.format(_signed(value)) for value, words in figures if value is not None]
    if measured.integrated is None:
        told.insert(0, "too quiet or too short to be loud")
    return " · ".join(told)


def date(moment: datetime) -> str:
    """A day in this computer's time zone: `4 Mar 2026`."""
    local = moment.astimezone()
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def count(number: int) -> str:
    """A large number with thin gaps between its thousands: `48 213`."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def sounds(number: int) -> str:
    """So many sounds: `1 sound`, `48 213 sounds`."""
    return "1 sound" if number == 1 else f"{count(number)} sounds"


def tool_tip(text: str) -> str:
    """Words for a tool tip, which Qt would take for markup when a name has a tag in it."""
    if "<" not in text:
        return text
    return f"<span>{html.escape(text)}</span>".replace("\n", "<br>")


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _scaled(value: float, *, exact_below: float = 9.95) -> tuple[str, str]:
    value = max(value, 0.0)
    for unit in _SIZES:
        # 999.5 would be written as 1000 of the smaller unit.
        if value < 999.5 or unit == _SIZES[-1]:
            small = unit != "B" and value < exact_below
            return f"{value:.1f}" if small else f"{value:.0f}", unit
        value /= 1000
    raise AssertionError("the last unit always fits")
