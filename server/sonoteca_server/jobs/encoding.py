"""From a recipe and a source to ffmpeg's arguments: from tables, but for numbers and texts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from sonoteca_server.jobs import speakers
from sonoteca_server.jobs.ffmpeg import Ffmpeg
from sonoteca_server.jobs.sources import Shape, Source
from sonoteca_server.jobs.speakers import MIXABLE, Places
from sonoteca_server.jobs.tags import moved
from sonoteca_shared.recipes import FLOAT, Recipe

VERSION = 3
"""Goes into the tags of results; one more whenever the same recipe gives other bytes."""

# Demuxers of sound in one file, of which none opens another file or a connection.
_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,loas,"
    "matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,nut,ogg,oma,rm,shn,sox,tak,truehd,tta,voc,w64,"
    "wav,wv,xwma"
)
# What linear samples are called: the encoder of each format, and the samples that it takes.
_LINEAR = {
    ("wav", "8"): ("pcm_u8", "u8"),
    ("wav", "16"): ("pcm_s16le", "s16"),
    ("wav", "24"): ("pcm_s24le", "s32"),
    ("wav", "32"): ("pcm_s32le", "s32"),
    ("wav", FLOAT): ("pcm_f32le", "flt"),
    ("aiff", "8"): ("pcm_s8", "u8"),
    ("aiff", "16"): ("pcm_s16be", "s16"),
    ("aiff", "24"): ("pcm_s24be", "s32"),
    ("aiff", "32"): ("pcm_s32be", "s32"),
    ("aiff", FLOAT): ("pcm_f32be", "flt"),
    ("flac", "16"): ("flac", "s16"),
    ("flac", "24"): ("flac", "s32"),
}
_CODED = {
    "mp3": ("libmp3lame", "fltp"),
    "ogg": ("libvorbis", "fltp"),
    "opus": ("libopus", "flt"),
    "m4a": ("aac", "fltp"),
}
_BITRATES = {"mp3": 192_000, "m4a": 192_000}
_MUXERS = {
    "wav": ("-f", "wav", "-rf64", "auto"),
    "flac": ("-f", "flac"),
    "mp3": ("-f", "mp3", "-id3v2_version", "4"),
    "ogg": ("-f", "ogg"),
    "opus": ("-f", "opus"),
    "m4a": ("-f", "ipod", "-movflags", "+faststart"),
    "aiff": ("-f", "aiff", "-write_id3v2", "1"),
}
_ONE_STREAM = ("-map", "0:a:0", "-threads", "1", "-filter_threads", "1")
# Reads the head alone, and says what is in there.
DESCRIBING = [*_ONE_STREAM, "-t", "0", "-f", "null", "-"]
_STEREO = 2
# Of so many channels ffmpeg puts some into another's place, unless Opus itself is told to.
_MISPLACED = (5, 7)
# What a sound of unknown precision, or one that was computed, is kept with.
_USUAL = "16"


@dataclass(frozen=True, slots=True)
class Work:
    """One conversion: what, by which program, to what."""

    ffmpeg: Ffmpeg
    source: Source
    recipe: Recipe

    @property
    def shape(self) -> Shape:
        """How the source is sampled, which has to be known by now."""
        assert self.source.shape is not None
        return self.source.shape

    @property
    def is_bare(self) -> bool:
        """Whether samples alone are wanted of ffmpeg, for a WAV whose head is ours."""
        return self.source.is_wav and self.recipe.format == "wav"


def reading(ffmpeg: Ffmpeg, source: Source) -> list[str]:
    """The program, and how it reads a source that is its standard input."""
    if not source.seeks:
        protocol, address = "pipe", "pipe:0"
    elif ffmpeg.has_fd:
        protocol, address = "fd", "fd:"
    else:
        protocol, address = "file", "file:/dev/fd/0"
    demuxers = ("-f", "wav") if source.is_wav else ("-format_whitelist", _DEMUXERS)
    return [
        *(ffmpeg.path, "-hide_banner", "-nostdin", "-nostats", "-v", "level+verbose"),
        *(() if source.is_cut else ("-xerror",)),
        *("-protocol_whitelist", protocol, *demuxers),
        # Sixteen channels are a recorder's more often than a room of the kind that ffmpeg takes
        # them for.
        *("-guess_layout_max", str(MIXABLE), "-i", address),
    ]


def measuring(work: Work, gain: list[str]) -> list[str]:
    """How it measures the loudness that the result would have with these filters."""
    # Shorter than a block of the measurement no sound has a loudness.
    measure = ("apad=whole_dur=0.4", "ebur128=peak=true:framelog=verbose")
    filters = [*_region(work), *_remix(work), *gain, *_weights(work), *measure]
    return [*_ONE_STREAM, "-af", ",".join(filters), "-f", "null", "-"]


def writing(work: Work, gain: list[str]) -> list[str]:
    """How it writes what the recipe asks for into its standard output, which is a file."""
    recipe = work.recipe
    depth = depth_of(work.shape, recipe)
    filters = [
        *_region(work),
        *_remix(work),
        *gain,
        *_order(work),
        _samples(work, depth, exact=not gain),
    ]
    if recipe.format in _CODED:
        encoder = _CODED[recipe.format][0]
    else:
        encoder = _LINEAR[recipe.format, depth][0]
    coding = ["-c:a", encoder]
    if bitrate := recipe.bitrate or _BITRATES.get(recipe.format):
        coding += "-b:a", str(bitrate)
    if recipe.format == "opus" and (recipe.channels or work.shape.channels) in _MISPLACED:
        coding += "-mapping_family", "1"
    if work.is_bare:
        # Into the file from where it stands, nothing but samples, and not packet by packet.
        muxer = encoder.removeprefix("pcm_")
        place = ["-map_metadata", "-1", "-f", muxer, "-flush_packets", "0", "pipe:1"]
    else:
        place = [*_texts(work), *_MUXERS[recipe.format], "-y", "file:/dev/fd/1"]
    # Nothing of the day or of chance: the same bytes each time.
    exact = ("-fflags", "+bitexact", "-flags:a", "+bitexact")
    return [*_ONE_STREAM, "-af", ",".join(filters), *coding, *exact, *place]


def kept_frames(work: Work) -> tuple[int, int | None]:
    """The first frame of the source that is wanted, and the first that is no more, if one is."""
    rate, recipe = work.shape.samplerate, work.recipe
    end = None if recipe.end is None else round(Fraction(recipe.end) * rate)
    return round(Fraction(recipe.start) * rate), end


def is_remixed(work: Work) -> bool:
    """Whether the result has other channels than the source."""
    return bool(_remix(work))


def depth_of(shape: Shape, recipe: Recipe) -> str:
    """The bits of a sample that are asked for, else those of the source or the nearest."""
    depths = recipe.target.depths
    if recipe.bitdepth is not None or not depths:
        return recipe.bitdepth or _USUAL
    if shape.is_float:
        return FLOAT if FLOAT in depths else depths[-1]
    whole = [depth for depth in depths if depth != FLOAT]
    bits = shape.bits or int(_USUAL)
    return next((depth for depth in whole if int(depth) >= bits), whole[-1])


def _region(work: Work) -> list[str]:
    recipe = work.recipe
    if not recipe.start and recipe.end is None:
        return []
    if work.source.is_wav and work.source.frames is not None:
        first, last = kept_frames(work)
        part = f"start_sample={first}" + ("" if last is None else f":end_sample={last}")
    else:
        # Decoders may begin before the sound, and then its first sample is not their first.
        end = "" if recipe.end is None else f":end={recipe.end:.9f}"
        part = f"start={recipe.start:.9f}{end}"
    return [f"atrim={part}", "asetpts=PTS-STARTPTS"]


def _remix(work: Work) -> list[str]:
    """Fewer or more channels, in floating point and never louder than full scale."""
    count = work.recipe.channels
    if count is None or count == work.shape.channels or count > MIXABLE:
        return []
    return [f"aresample=ochl={speakers.layout_of(count)}:osf=flt:rematrix_maxval=1"]


def _weights(work: Work) -> list[str]:
    """Channels that are for no speaker that anybody knows all count alike."""
    shape = work.shape
    if shape.channels is None or shape.places is not Places.UNKNOWN:
        return []
    return [speakers.counted(shape.channels)]


def _order(work: Work) -> list[str]:
    """Channels for a coder that has one room for each number of them, as Opus does."""
    count = work.shape.channels
    if work.recipe.format not in _CODED or count is None or count > MIXABLE or _remix(work):
        return []
    if count > _STEREO:
        return [speakers.ordered(count)] if work.recipe.format == "opus" else []
    # A left channel alone is as mono as any other.
    return [speakers.ordered(count)] if work.shape.places is Places.ODD else []


def _samples(work: Work, depth: str, *, exact: bool) -> str:
    """The last filter: rate and depth in one step, so that samples are rounded once."""
    recipe, shape = work.recipe, work.shape
    options: list[str] = []
    is_noisy = False
    if recipe.samplerate not in (None, shape.samplerate):
        resampler = "resampler=soxr:precision=28" if work.ffmpeg.has_soxr else "filter_size=64"
        options += f"osr={recipe.samplerate}", resampler
        exact = False
    if recipe.format in _CODED:
        options.append(f"osf={_CODED[recipe.format][1]}")
    else:
        options.append(f"osf={_LINEAR[recipe.format, depth][1]}")
        exact = exact and not _remix(work) and shape.bits > 0
        if depth not in ("32", FLOAT) and not (exact and shape.bits <= int(depth)):
            options.append("dither_method=triangular")
            is_noisy = True
            if depth == "24":
                options.append("output_sample_bits=24")
        if not exact:
            # In whole numbers soxr adds noise of its own, another each time; and for 24 bits single
            # precision is not enough.
            precise = "fltp" if depth in ("8", "16") else "dblp"
            options.append(f"internal_sample_fmt={precise}")
    resampling = f"aresample={':'.join(options)}"
    if not is_noisy or _remix(work) or shape.places is Places.USUAL or shape.channels is None:
        return resampling
    return speakers.apart(resampling, shape.channels)


def _texts(work: Work) -> list[str]:
    """What the source says of itself, as far as the target has a place for it."""
    source, recipe = work.source, work.recipe
    if not source.is_wav:
        return ["-map_metadata", "0"]
    told = ["-map_metadata", "-1"]
    for name, text in moved(source.tags, recipe, work.shape.samplerate).items():
        told += "-metadata", f"{name}={text}"
    return told
