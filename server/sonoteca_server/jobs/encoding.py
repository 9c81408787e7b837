"""From a recipe and a source to ffmpeg's arguments; every word of them is ours, from tables."""

from __future__ import annotations

from sonoteca_server.jobs.ffmpeg import Ffmpeg
from sonoteca_server.jobs.sources import Source
from sonoteca_shared.recipes import FLOAT, TARGETS, Recipe

# Demuxers of sound in one file, of which none opens another file or a connection.
_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,loas,"
    "matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,nut,ogg,oma,rm,shn,sox,tak,truehd,tta,voc,w64,"
    "wav,wv,xwma"
)
_BITRATES = {"mp3": 192_000, "m4a": 192_000}
# By format and depth: the encoder, the samples that it takes, and how many bits of them count.
_LINEAR = {
    "wav": {
        "8": ("pcm_u8", "u8", 0),
        "16": ("pcm_s16le", "s16", 0),
        "24": ("pcm_s24le", "s32", 24),
        "32": ("pcm_s32le", "s32", 0),
        FLOAT: ("pcm_f32le", "flt", 0),
    },
    "aiff": {
        "8": ("pcm_s8", "u8", 0),
        "16": ("pcm_s16be", "s16", 0),
        "24": ("pcm_s24be", "s32", 24),
        "32": ("pcm_s32be", "s32", 0),
        FLOAT: ("pcm_f32be", "flt", 0),
    },
    "flac": {"16": ("flac", "s16", 0), "24": ("flac", "s32", 24)},
}
_CODED = {
    "mp3": ("-c:a", "libmp3lame"),
    "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"),
    "m4a": ("-c:a", "aac"),
}
_MUXERS = {
    "wav": ("-f", "wav", "-rf64", "auto"),
    "flac": ("-f", "flac"),
    "mp3": ("-f", "mp3"),
    "ogg": ("-f", "ogg"),
    "opus": ("-f", "opus"),
    "m4a": ("-f", "ipod", "-movflags", "+faststart"),
    "aiff": ("-f", "aiff"),
}


def reading(ffmpeg: Ffmpeg, source: Source) -> list[str]:
    """The program, and how it reads a source that is its standard input."""
    if not source.seeks:
        protocol, address = "pipe", "pipe:0"
    elif ffmpeg.has_fd:
        protocol, address = "fd", "fd:"
    else:
        protocol, address = "file", "file:/dev/fd/0"
    demuxers = ("-f", "wav") if source.wav is not None else ("-format_whitelist", _DEMUXERS)
    return [
        *(ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-xerror"),
        *("-protocol_whitelist", protocol, *demuxers, "-i", address),
        *("-map", "0:a:0", "-threads", "1", "-filter_threads", "1"),
    ]


def writing(ffmpeg: Ffmpeg, source: Source, recipe: Recipe) -> list[str]:
    """How it writes what the recipe asks for into its standard output, which is a file."""
    filters = [*_region(recipe), _samples(ffmpeg, source, recipe)]
    coding: list[str] = ["-af", ",".join(filters)]
    if recipe.format in _LINEAR:
        coding += "-c:a", _LINEAR[recipe.format][depth_of(source, recipe)][0]
    else:
        coding += _CODED[recipe.format]
        if bitrate := recipe.bitrate or _BITRATES.get(recipe.format):
            coding += "-b:a", str(bitrate)
    exact = ("-fflags", "+bitexact", "-flags:a", "+bitexact")
    return [*coding, *exact, *_MUXERS[recipe.format], "-y", "file:/dev/fd/1"]


def depth_of(source: Source, recipe: Recipe) -> str:
    """The bits of a sample that are asked for, else those of the source or the nearest."""
    if recipe.bitdepth is not None:
        return recipe.bitdepth
    known = TARGETS[recipe.format].depths
    if source.wav is None:
        return "16"
    if source.wav.format == "float" and FLOAT in known:
        return FLOAT
    wide = [depth for depth in known if depth != FLOAT and int(depth) >= source.wav.bitdepth]
    return wide[0] if wide else known[-1]


def _region(recipe: Recipe) -> list[str]:
    if not recipe.start and recipe.end is None:
        return []
    end = "" if recipe.end is None else f":end={recipe.end:.9f}"
    return [f"atrim=start={recipe.start:.9f}{end}", "asetpts=PTS-STARTPTS"]


def _samples(ffmpeg: Ffmpeg, source: Source, recipe: Recipe) -> str:
    """The last filter: rate, channels and depth in one step, so that they are rounded once."""
    options = ["resampler=soxr:precision=28"] if ffmpeg.has_soxr else []
    if recipe.samplerate is not None:
        options.append(f"osr={recipe.samplerate}")
    if recipe.channels is not None:
        options.append(f"ochl={recipe.channels}c")
    if recipe.format in _LINEAR:
        _, samples, bits = _LINEAR[recipe.format][depth_of(source, recipe)]
        options.append(f"osf={samples}:dither_method=triangular")
        if bits:
            options.append(f"output_sample_bits={bits}")
    return "aresample=" + ":".join(options)
