"""The small library of a first start: sounds made by code, sent to a server like anyone's.

    python packaging/samples.py --server http://localhost:8282

The same code makes the same bytes each time, so that a second run finds everything there already.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

PEAK = 10 ** (-6 / 20)
"""Everything is as loud as this at most: -6 dBFS."""


@dataclass(frozen=True)
class Sample:
    """A sound of the library and how it is made; `make` gets the sample rate and a dice."""

    folder: str
    name: str
    samplerate: int
    bits: int
    make: Callable[[int, np.random.Generator], Signal]


def sweep(rate: int, _: np.random.Generator) -> Signal:
    """A logarithmic sweep: each octave takes the same time (Farina, AES 108, 2000)."""
    seconds, low, high = 10.0, 20.0, 20_000.0
    growth = seconds / np.log(high / low)
    phase = 2 * np.pi * low * growth * (np.exp(times(seconds, rate) / growth) - 1)
    return fade(np.sin(phase), rate, 0.05, 0.05)


def pink_noise(rate: int, dice: np.random.Generator) -> Signal:
    """Noise with the same energy in each octave."""
    return fade(noise(10 * rate, rate, dice, lambda f: (f > 20) / np.sqrt(f)), rate, 0.05, 0.05)


def bell(rate: int, dice: np.random.Generator) -> Signal:
    """A church bell: partials at a bell's ratios, each a pair that beats, high ones fade first."""
    time = times(9.0, rate)
    partials = (
        (0.5, 0.6, 3.2), (1.0, 0.7, 2.4), (1.19, 0.9, 2.0), (1.5, 0.35, 1.4), (2.0, 1.0, 1.5),
        (2.51, 0.35, 0.9), (2.66, 0.3, 0.8), (3.01, 0.4, 0.7), (4.17, 0.3, 0.45),
        (5.43, 0.25, 0.3), (6.79, 0.2, 0.2), (8.21, 0.15, 0.12),
    )  # fmt: skip
    sides = np.zeros((time.size, 2))
    for ratio, loudness, decay in partials:
        beat = dice.uniform(0.15, 0.6)
        envelope = loudness * np.exp(-time / decay)
        for shift in (-beat / 2, beat / 2):
            phase = 2 * np.pi * (233.0 * ratio + shift) * time
            for side in range(2):
                sides[:, side] += envelope * np.sin(phase + dice.uniform(0, 1.2))
    clapper = noise(time.size, rate, dice, band(3000, 1.2)) * np.exp(-time / 0.008)
    return fade(sides + 0.5 * clapper[:, None], rate, 0.001, 1.5)


def voice(rate: int, dice: np.random.Generator) -> Signal:
    """A tenor who sings five vowels: harmonics of a voice with vibrato, shaped by formants."""
    vowels = np.array(  # frequency, dB and width of each formant, after Csound's manual, appendix D
        [
            [(650, 0, 80), (1080, -6, 90), (2650, -7, 120), (2900, -8, 130), (3250, -22, 140)],
            [(400, 0, 70), (1700, -14, 80), (2600, -12, 100), (3200, -14, 120), (3580, -20, 120)],
            [(290, 0, 40), (1870, -15, 90), (2800, -18, 100), (3250, -20, 120), (3540, -30, 120)],
            [(400, 0, 40), (800, -10, 80), (2600, -12, 100), (2800, -12, 120), (3000, -26, 120)],
            [(350, 0, 40), (600, -20, 60), (2700, -17, 100), (2900, -14, 120), (3300, -26, 120)],
        ]
    )
    time = times(7.0, rate)
    vibrato = 0.011 * np.sin(2 * np.pi * 5.3 * time) * np.clip(time - 0.4, 0, 1)
    pitch = 155.6 * (1 + vibrato + 0.002 * drift(time, dice, 6.0))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    # Formants move slowly: shaping 200 times a second is enough, and quick.
    coarse = time[:: rate // 200]
    place = np.clip(coarse / 7.0 * 5 - 0.5, 0, 4)
    glide = np.floor(place) + np.clip((place % 1 - 0.5) * 4 + 0.5, 0, 1)
    columns = vowels.reshape(5, -1).T
    now = np.stack([np.interp(glide, range(5), column) for column in columns], axis=1)
    centre, loudness, width = now[:, 0::3], 10 ** (now[:, 1::3] / 20), now[:, 2::3]
    tone = np.zeros(time.size)
    for number in range(1, int(5000 / 160)):
        at = number * np.interp(coarse, time, pitch)[:, None]
        shape = (loudness / (1 + ((at - centre) / width) ** 2)).sum(axis=1) + 0.003
        tone += np.interp(time, coarse, shape) * np.sin(number * phase)
    breath = noise(time.size, rate, dice, band(2500, 1.5)) * (1 + 0.5 * np.sin(phase))
    return fade(tone / np.abs(tone).max() + 0.004 * breath, rate, 0.12, 0.5)


def wind(rate: int, dice: np.random.Generator) -> Signal:
    """Wind in pines, 30 s: gusts that pass from ear to ear, each ear with leaves of its own."""
    time = times(30.0, rate)
    gust = 1.2 * drift(time, dice, 0.18) + 0.4 * drift(time, dice, 0.9)
    sides = []
    for _ in range(2):
        own = gust + 0.5 * drift(time, dice, 0.3)
        side = 0.12 * noise(time.size, rate, dice, lambda f: (f > 30) / f * 40)
        for centre, at_gust in ((280, 0.7), (520, 1.1), (980, 1.5), (2600, 2.0)):
            howl = noise(time.size, rate, dice, band(centre, 0.45))
            side += howl * np.exp(at_gust * own) * (280 / centre) ** 1.3 * 0.4
        sides.append(side)
    return fade(np.stack(sides, axis=1), rate, 1.0, 2.0)


def door(rate: int, dice: np.random.Generator) -> Signal:
    """A metal door: it creaks on its hinges, slams, and a stairwell answers."""
    time = times(5.0, rate)
    creak, slam = np.zeros(time.size), np.zeros(time.size)
    moment = 0.1
    while moment < 1.5:  # it sticks and slips, faster as the door gathers speed
        creak[int(moment * rate)] += dice.uniform(0.3, 1) * np.sin(np.pi * (moment - 0.1) / 1.4)
        moment += dice.normal(1, 0.12) / (35 + 60 * (moment / 1.5) ** 2)
    for at, strength in ((1.72, 1.0), (1.745, 0.5), (1.81, 0.35), (1.835, 0.15)):
        slam[int(at * rate)] = strength
    ring = 0.2 * modes(time, dice, count=14, low=700, high=5200, decay=0.03)
    panel = modes(time, dice, count=60, low=85, high=9000, decay=0.55)
    thump = np.sin(2 * np.pi * (48 + 30 * np.exp(-time / 0.03)) * time) * np.exp(-time / 0.11)
    bang = noise(time.size, rate, dice, lambda f: 1 / (1 + f / 900)) * np.exp(-time / 0.02)
    dry = convolve(creak, ring) * 0.35 + convolve(slam, panel + 5 * thump + 3 * bang)
    sides = []
    for _ in range(2):
        tail = noise(time.size, rate, dice, lambda f: (f > 60) / (1 + (f / 1800) ** 1.5))
        echo = tail * np.exp(-time / 0.42) * (time > 0.012)
        sides.append(dry + convolve(dry, echo) * 0.02)
    return fade(np.stack(sides, axis=1), rate, 0.01, 0.8)


def surf(rate: int, dice: np.random.Generator) -> Signal:
    """Surf on a pebble beach, four minutes: waves swell, break, and draw the pebbles back."""
    seconds = 240.0
    deep = loop(noise(7 * rate * 3, rate, dice, lambda f: (f > 25) / f * 60), seconds, rate)
    white = loop(noise(17 * rate, rate, dice, lambda f: (f > 300) / (1 + f / 2500)), seconds, rate)
    stones = loop(noise(13 * rate, rate, dice, band(5200, 0.5)), seconds, rate)
    slow = np.arange(0, seconds, 0.01)
    swell, foam, back = (np.full(slow.size, level) for level in (0.35, 0.03, 0.004))
    moment = -3.0
    while moment < seconds:
        size, since = dice.uniform(0.4, 1.0), slow - moment
        swell += size * np.exp(-(((since - 3.5) / 1.9) ** 2))
        foam += size**1.5 * rise_and_fall(since - 3.6, 0.35, 2.1)
        back += 0.35 * size * rise_and_fall(since - 5.5, 1.6, 1.7)
        moment += dice.uniform(5.5, 10.5)
    time = times(seconds, rate)
    sound = deep * np.interp(time, slow, swell) * 0.5
    sound += white * np.interp(time, slow, foam) * 0.9
    sound += stones * np.interp(time, slow, back) * (0.6 + 0.4 * np.abs(white) / 2)
    return fade(sound, rate, 2.0, 4.0)


SAMPLES: tuple[Sample, ...] = (
    Sample("Test signals", "Sweep 20 Hz to 20 kHz.wav", 48_000, 24, sweep),
    Sample("Test signals", "Pink noise.wav", 48_000, 16, pink_noise),
    Sample("Music", "Church bell.wav", 48_000, 24, bell),
    Sample("Voice", "Five vowels, tenor.wav", 44_100, 16, voice),
    Sample("Ambience", "Wind in pines.wav", 48_000, 24, wind),
    Sample("Foley", "Metal door slam.wav", 96_000, 24, door),
    Sample("Ambience", "Surf on a pebble beach.wav", 48_000, 16, surf),
)


def times(seconds: float, rate: int) -> Signal:
    """The moment of each sample."""
    return np.arange(round(seconds * rate)) / rate


def noise(
    count: int, rate: int, dice: np.random.Generator, shape: Callable[[Signal], Signal]
) -> Signal:
    """Noise of loudness 1 whose spectrum follows `shape`."""
    # At a power of two or three times one the transform is quick, whatever `count` is.
    size = 1 << (count - 1).bit_length()
    size = size * 3 // 4 if size * 3 // 4 >= count else size
    spectrum = np.fft.rfft(dice.standard_normal(size, dtype=np.float32))
    frequencies = np.maximum(np.fft.rfftfreq(size, 1 / rate), 1.0)
    signal = np.fft.irfft(spectrum * shape(frequencies), size)[:count]
    return np.asarray(signal / signal.std(), dtype=np.float64)


def band(centre: float, octaves: float) -> Callable[[Signal], Signal]:
    """A bell-shaped band around a frequency."""
    return lambda frequencies: np.exp(-((np.log2(frequencies / centre) / octaves) ** 2))


def drift(time: Signal, dice: np.random.Generator, pace: float) -> Signal:
    """Slow chance: something between -1 and 1 that changes its mind `pace` times a second."""
    points = dice.uniform(-1, 1, int(time[-1] * pace) + 3)
    place = time * pace
    left = place.astype(int)
    part = (1 - np.cos(np.pi * (place - left))) / 2
    return np.asarray(points[left] * (1 - part) + points[left + 1] * part)


def modes(
    time: Signal, dice: np.random.Generator, *, count: int, low: float, high: float, decay: float
) -> Signal:
    """How a thing rings when struck: many tones, of which the high ones die first."""
    ringing = np.zeros(time.size)
    for frequency in low * (high / low) ** dice.uniform(0, 1, count):
        lasts = decay * (low / frequency) ** 0.6 * dice.uniform(0.5, 1.5)
        heard = time[: int(lasts * 9 * time.size / time[-1])]  # behind that it is below -78 dB
        tone = np.sin(2 * np.pi * frequency * heard) * np.exp(-heard / lasts)
        ringing[: heard.size] += dice.uniform(0.2, 1) * tone
    return ringing


def convolve(signal: Signal, answer: Signal) -> Signal:
    """The signal as answered by a thing or a room; as long as the signal."""
    size = 1 << (2 * signal.size - 1).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.fft.rfft(answer, size)
    return np.asarray(np.fft.irfft(spectrum, size)[: signal.size])


def loop(signal: Signal, seconds: float, rate: int) -> Signal:
    """The signal again and again. A cross-fade hides the seam."""
    over = rate // 2
    ramp = np.linspace(0, 1, over)
    joined = signal[over:].copy()
    joined[-over:] = joined[-over:] * np.sqrt(1 - ramp) + signal[:over] * np.sqrt(ramp)
    return np.asarray(np.resize(joined, round(seconds * rate)))


def rise_and_fall(since: Signal, rise: float, fall: float) -> Signal:
    """Nothing before 0, then quickly to 1 and slowly back."""
    after = np.maximum(since, 0)
    return np.asarray((1 - np.exp(-after / rise)) * np.exp(-after / fall))


def fade(signal: Signal, rate: int, begin: float, end: float) -> Signal:
    """Fade in and out, so that nothing clicks."""
    signal = signal.copy()
    for seconds, part in ((begin, signal), (end, signal[::-1])):
        count = int(seconds * rate)
        ramp = np.sin(np.linspace(0, np.pi / 2, count)) ** 2
        part[:count] *= ramp if signal.ndim == 1 else ramp[:, None]
    return signal


def write(path: Path, signal: Signal, samplerate: int, bits: int) -> None:
    """Write a PCM WAV whose loudest moment is at PEAK."""
    full = 2 ** (bits - 1)
    numbers = np.round(signal * (PEAK * full / np.abs(signal).max())).astype("<i4")
    width = bits // 8
    # The low bytes of little-endian 32-bit numbers are those of 16 or 24 bits.
    packed = numbers.reshape(-1, 1).view(np.uint8)[:, :width]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if signal.ndim == 1 else signal.shape[1])
        file.setsampwidth(width)
        file.setframerate(samplerate)
        file.writeframes(packed.tobytes())


def synthesise(folder: Path) -> Iterator[tuple[Sample, Path]]:
    """Make the sounds one after the other in a folder that exists."""
    for seed, sample in enumerate(SAMPLES):
        path = folder / sample.folder / sample.name
        path.parent.mkdir(exist_ok=True)
        signal = sample.make(sample.samplerate, np.random.default_rng(seed))
        write(path, signal, sample.samplerate, sample.bits)
        yield sample, path


def upload(server: str, sample: Sample, path: Path) -> str:
    """Send a sound; what the server says to it. OSError when it refuses."""
    address = urlsplit(server)
    where = (
        f"{address.path.rstrip('/')}/post?name={quote(sample.name)}&folder={quote(sample.folder)}"
    )
    # Not urllib.request: it would look for a proxy, even on the way to this computer itself.
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        with path.open("rb") as file:
            headers = {"Content-Type": "audio/wav", "Content-Length": str(path.stat().st_size)}
            connection.request("POST", where, file, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status not in (200, 201):
        raise OSError(f"{sample.name}: the server answered {answer.status}: {text[:300]}")
    return "added" if answer.status == 201 else "already there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the sounds and send them, with a line for each."""
    parser = argparse.ArgumentParser(
        description="Put a small library of sounds, made by code, into a Sonoteca server.",
        epilog="example: python packaging/samples.py --server http://localhost:8282",
    )
    parser.add_argument("--server", required=True, help="address of the server")
    server = parser.parse_args(arguments).server
    with tempfile.TemporaryDirectory(prefix="sonoteca-samples-") as folder:
        try:
            for sample, path in synthesise(Path(folder)):
                done = upload(server, sample, path)
                sys.stdout.write(f"{sample.folder}/{sample.name}: {done}\n")
                sys.stdout.flush()
                path.unlink()
        except (OSError, http.client.HTTPException) as error:
            sys.stderr.write(f"The samples could not be sent to {server}: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
