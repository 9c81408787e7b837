"""Asks how sounds are to be exported: format, rate, depth, part, loudness, and where to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.models.offers import Offer, Preset
from sonoteca_desktop.views.choice import Choice
from sonoteca_desktop.views.dialogs import Question
from sonoteca_desktop.views.form import FolderField, Form
from sonoteca_desktop.views.theme import Theme
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.models import Sound
from sonoteca_shared.recipes import TARGETS, Target, parse_recipe, texts_of
from sonoteca_shared.values import number

_AS_IT_IS = "as it is"
_WORDS = {
    "samplerate": "Sample rate",
    "bitdepth": "Bit depth",
    "channels": "Channels",
    "bitrate": "Bitrate",
    "start": "From",
    "end": "To",
    "normalize_lufs": "Loudness",
}
_EMPTY = {
    "bitrate": "up to the server",
    "start": "the beginning, or 1:30.5",
    "end": "the end, or 1:30.5",
    "normalize_lufs": "as it is, or LUFS",
}
_TIPS = {
    "samplerate": "In Hz; empty leaves it as it is, or takes the nearest that the format has",
    "bitdepth": "Bits of a sample; what has more is dithered",
    "channels": "1 is mono, 2 is stereo; empty leaves them, or as many as the format has",
    "bitrate": "Bits a second, such as 192k; empty leaves it to the server",
    "start": "From the beginning, as 1:30.5 or in seconds; empty is the beginning",
    "end": "From the beginning, as 1:30.5 or in seconds; empty is the end",
    "normalize_lufs": "In LUFS, such as -23 for broadcast or -14 for streaming; empty leaves it",
}
_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
_BITRATES = (64_000, 96_000, 128_000, 192_000, 256_000, 320_000)
_CHANNELS = (1, 2, 4, 6, 8)
_PLACES = ("start", "end")
# A length with three digits may be as much more than the exact one, and the server takes it.
_ROUNDED_S = 0.0005
_LEVELS = ("-14", "-16", "-18", "-23")
_TITLES = {"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "Ogg Vorbis", "opus": "Opus"}
_TITLES |= {"m4a": "M4A (AAC)", "aiff": "AIFF"}


class ExportDialog(Question):
    """One field for each option that the chosen format has; remembers nothing itself.

    Signals:
        wanted(dict, Path): these options of a recipe, and the folder to export to.
    """

    wanted = Signal(dict, object)

    def __init__(
        self,
        theme: Theme,
        sounds: Sequence[Sound],
        options: Mapping[str, str],
        folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        what = f"“{sounds[0].name}”" if len(sounds) == 1 else units.sounds(len(sounds))
        super().__init__(
            theme,
            f"Export {what}",
            "The server makes the files, and they come as transfers. The library stays as it is.",
            parent,
        )
        self.setObjectName("exportDialog")
        self._theme = theme
        self._sound = sounds[0] if len(sounds) == 1 else None
        self._offered: tuple[str, ...] = tuple(TARGETS)
        self._presets: list[Preset] = []
        self._form = Form(theme, self)
        self.body.addSpacing(8)
        self._preset = self._choice("exportPreset")
        self._format = self._choice("exportFormat")
        self._form.add("preset", "Preset", self._preset)
        self._form.add("format", "Format", self._format)
        self._fields: dict[str, Choice | QLineEdit] = {}
        for name in _WORDS:
            self._add_option(name)
        self._folder = FolderField(theme, "exportFolder", folder, self)
        self._form.add("folder", "Folder", self._folder)
        self.add_button("Cancel", "exportCancel").clicked.connect(self.reject)
        self.add_button("Export", "exportGo", primary=True).clicked.connect(self._go)
        self._form.show_field("preset", shown=False)
        self._fill_formats()
        self._format.currentIndexChanged.connect(self._suit_format)
        self._preset.activated.connect(self._take_preset)
        self.fill(options)
        self._format.setFocus()

    def show_offer(self, offer: Offer) -> None:
        """Offer what the server has, and nothing else."""
        options = self.options()
        self._offered, self._presets = offer.formats, list(offer.presets)
        self._fill_formats()
        self._preset.clear()
        self._preset.addItems(["Choose…", *(each.name for each in self._presets)])
        self._form.show_field("preset", shown=bool(self._presets))
        self.fill(options)

    def fill(self, options: Mapping[str, str]) -> None:
        """Show these options; what the server does not offer stays as it stands."""
        place = self._format.findData(options.get("format", ""))
        self._format.setCurrentIndex(max(place, 0))
        self._suit_format()
        for name, field in self._fields.items():
            _put(field, options.get(name, ""))

    def options(self) -> dict[str, str]:
        """What is chosen, without what is left as it is."""
        shown = {name: _text(field) for name, field in self._fields.items() if self._suits(name)}
        chosen = {name: _as_seconds(name, text) for name, text in shown.items() if text}
        return {"format": self._target.name} | chosen

    @property
    def _target(self) -> Target:
        return TARGETS[str(self._format.currentData())]

    def _choice(self, name: str) -> Choice:
        choice = Choice(self._theme, self)
        choice.setObjectName(name)
        return choice

    def _add_option(self, name: str) -> None:
        field: Choice | QLineEdit
        if name in _PLACES:
            field = QLineEdit(self)
            field.setFixedHeight(34)
        else:
            field = self._choice("")
            field.setEditable(name != "bitdepth")
        field.setObjectName(f"export{name.title().replace('_', '')}")
        line = field if isinstance(field, QLineEdit) else field.lineEdit()
        if line is not None:
            line.setPlaceholderText(_EMPTY.get(name, _AS_IT_IS))
        self._fields[name] = field
        self._form.add(name, _WORDS[name], field, tip=_TIPS[name])

    def _fill_formats(self) -> None:
        self._format.blockSignals(True)
        self._format.clear()
        for name in self._offered:
            self._format.addItem(_TITLES.get(name, name), name)
        self._format.blockSignals(False)

    def _suit_format(self) -> None:
        """Show the options that the format has, with what it can do."""
        target = self._target
        rates = target.rates or [rate for rate in _RATES if rate <= target.most_rate]
        least, most = target.bitrates or (0, -1)
        choices: dict[str, Sequence[str]] = {
            "samplerate": [str(rate) for rate in rates],
            "bitdepth": target.depths,
            "channels": [str(count) for count in _CHANNELS if count <= target.channels],
            "bitrate": [f"{rate // 1000}k" for rate in _BITRATES if least <= rate <= most],
            "normalize_lufs": _LEVELS,
        }
        for name, items in choices.items():
            field = self._fields[name]
            assert isinstance(field, Choice)
            before = _text(field)
            field.clear()
            if not field.isEditable():
                field.addItem(_AS_IT_IS)
            field.addItems(list(items))
            _put(field, before)
        for name in _WORDS:
            self._form.show_field(name, shown=self._suits(name))

    def _suits(self, name: str) -> bool:
        match name:
            case "bitdepth":
                return bool(self._target.depths)
            case "bitrate":
                return self._target.bitrates is not None
            case "start" | "end":
                return self._sound is not None
            case _:
                return True

    def _take_preset(self, place: int) -> None:
        if place > 0:
            self.fill(self._presets[place - 1].options)

    def _go(self) -> None:
        self._form.be_content()
        wrong = self._find_wrong()
        if wrong is not None:
            self._form.complain(*wrong)
        elif trouble := self._folder.trouble:
            self._form.complain("folder", trouble)
        else:
            self.wanted.emit(self.options(), self._folder.folder)
            self.accept()

    def _find_wrong(self) -> tuple[str, str] | None:
        """The first field that is wrong, and why."""
        options = self.options()
        for name in options:
            try:
                parse_recipe({"format": options["format"], name: options[name]}, self._offered)
            except BadRequestError as error:
                return name, _for_people(str(error))
        try:
            recipe = parse_recipe(options, self._offered)
        except BadRequestError as error:
            return "end", _for_people(str(error))
        if self._sound is None:
            return None
        for name, late in (
            ("start", recipe.start >= self._sound.duration),
            ("end", (recipe.end or 0.0) > self._sound.duration + _ROUNDED_S),
        ):
            if late:
                length = units.length(self._sound.duration)
                return name, f"The sound is over by then: it is {length} long"
        return None


def _text(field: Choice | QLineEdit) -> str:
    text = field.text() if isinstance(field, QLineEdit) else field.currentText()
    return "" if text == _AS_IT_IS else text.strip()


def _as_seconds(name: str, text: str) -> str:
    """A place as the server reads it; what is no time stays as it is, to be complained of."""
    seconds = number("dur", text) if name in _PLACES and ":" in text else None
    return text if seconds is None else texts_of({name: seconds})[name]


def _put(field: Choice | QLineEdit, text: str) -> None:
    if isinstance(field, QLineEdit):
        field.setText(text)
    elif field.isEditable():
        field.setCurrentIndex(-1)
        field.setEditText(text)
    else:
        field.setCurrentIndex(max(field.findText(text), 0))


def _for_people(sentence: str) -> str:
    """The sentence with the words of our fields for the names that the server has."""
    for name, words in _WORDS.items():
        sentence = sentence.replace(f"“{name}”", f"“{words}”")
    sentence = sentence.replace("a number of seconds", "seconds or a time such as 1:30.5")
    return sentence[:1].upper() + sentence[1:]
