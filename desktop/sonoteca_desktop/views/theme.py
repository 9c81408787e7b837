"""How everything looks: one table of tokens for dark and light, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
    QPixmapCache,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

_RESOURCES = files("sonoteca_desktop.resources")
_FONTS = ("Inter-Regular.woff2", "Inter-Medium.woff2", "Inter-SemiBold.woff2")

_CACHE_KB = 48 * 1024  # some thousand small waveforms
DARK, LIGHT = "dark", "light"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of a theme; dark and light differ here and nowhere else."""

    background: str
    panel: str
    raised: str
    hover: str
    hairline: str
    text: str
    dim: str
    faint: str
    waveform: str
    accent: str
    accent_hover: str
    selection: str
    danger: str
    done: str
    cloud: str
    on_accent: str


_TOKENS = {
    DARK: Tokens(
        background="#14161a",
        panel="#1a1d22",
        raised="#22262d",
        hover="#1c2026",
        hairline="#2a2f37",
        text="#e6e9ee",
        dim="#99a1af",
        faint="#737c8b",
        waveform="#6d7788",
        accent="#f5a524",
        accent_hover="#ffb640",
        selection="#2a2f3a",
        danger="#f2727d",
        done="#4cc38a",
        cloud="#737c8b",
        on_accent="#1b1405",
    ),
    LIGHT: Tokens(
        background="#f6f7f9",
        panel="#ffffff",
        raised="#eef0f3",
        hover="#eff1f5",
        hairline="#e1e5ea",
        text="#1b1f26",
        dim="#5c6675",
        faint="#717b8a",
        waveform="#9aa5b5",
        accent="#b96c00",
        accent_hover="#a35f00",
        selection="#fdf1dc",
        danger="#c92f3e",
        done="#1a7f54",
        cloud="#7d8796",
        on_accent="#ffffff",
    ),
}


class Theme(QObject):
    """The look of the program: colours, fonts and tinted icons.

    Signals:
        changed(): another theme was chosen; whoever paints by hand paints again.
    """

    changed = Signal()

    def __init__(self, name: str = DARK, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name if name in _TOKENS else DARK
        self.family = _load_fonts()

    @property
    def name(self) -> str:
        return self._name

    @property
    def tokens(self) -> Tokens:
        return _TOKENS[self._name]

    def color(self, token: str) -> QColor:
        """A colour by the name of its token."""
        return QColor(str(getattr(self.tokens, token)))

    def apply(self, application: QApplication, name: str | None = None) -> None:
        """Give the whole application this look, or another one by name."""
        if name is not None and name in _TOKENS:
            self._name = name
        QPixmapCache.setCacheLimit(_CACHE_KB)
        application.setStyle("Fusion")
        application.setFont(self.font())
        application.setPalette(self._palette())
        application.setStyleSheet(self._style_sheet())
        self.changed.emit()

    def font(self, pixels: int = 13, weight: int = 400) -> QFont:
        """The one font, in the sizes 11, 13 and 15, with digits of equal width."""
        font = QFont([self.family, "DejaVu Sans", "Noto Sans"])
        font.setPixelSize(pixels)
        font.setWeight(QFont.Weight(weight))
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def pixmap(
        self, name: str, token: str, size: int = 16, *, ratio: float = 1.0, filled: bool = False
    ) -> QPixmap:
        """An icon in the colour of a token, sharp on a screen of this pixel ratio."""
        key = f"icon/{name}/{getattr(self.tokens, token)}/{size}/{ratio}/{filled}"
        pixmap = QPixmap()
        if not QPixmapCache.find(key, pixmap):
            pixmap = _render(_svg(name, self.color(token).name(), filled=filled), size, ratio)
            QPixmapCache.insert(key, pixmap)
        return pixmap

    def icon(self, name: str, token: str = "dim", *, active: str | None = None) -> QIcon:  # noqa: S107
        """An icon for menus and buttons, with a fainter picture for when it is disabled."""
        icon = QIcon()
        for size in (16, 24, 32, 48):
            icon.addPixmap(self.pixmap(name, token, size))
            icon.addPixmap(self.pixmap(name, "faint", size), QIcon.Mode.Disabled)
            icon.addPixmap(self.pixmap(name, active or token, size), QIcon.Mode.Active)
        return icon

    def _palette(self) -> QPalette:
        roles = QPalette.ColorRole
        palette = QPalette()
        for role, token in (
            (roles.Window, "background"),
            (roles.Base, "background"),
            (roles.AlternateBase, "panel"),
            (roles.Button, "raised"),
            (roles.ToolTipBase, "raised"),
            (roles.WindowText, "text"),
            (roles.Text, "text"),
            (roles.ButtonText, "text"),
            (roles.ToolTipText, "text"),
            (roles.BrightText, "danger"),
            (roles.PlaceholderText, "faint"),
            (roles.Mid, "hairline"),
            (roles.Dark, "hairline"),
            (roles.Light, "raised"),
            (roles.Highlight, "accent"),
            (roles.HighlightedText, "on_accent"),
            (roles.Link, "accent"),
            (roles.Accent, "accent"),
        ):
            palette.setColor(role, self.color(token))
        for role in (roles.WindowText, roles.Text, roles.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.color("faint"))
        return palette

    def _style_sheet(self) -> str:
        text = _RESOURCES.joinpath("style.qss").read_text(encoding="utf-8")
        # Longest names first: @accent is the beginning of @accent_hover.
        for token in sorted(Tokens.__slots__, key=len, reverse=True):
            text = text.replace(f"@{token}", str(getattr(self.tokens, token)))
        return text


def paint_pixmap(painter: QPainter, rect: QRectF, pixmap: QPixmap) -> None:
    """A pixmap in the middle of a place, on whole pixels so that it stays sharp."""
    size = QSize(pixmap.size() / pixmap.devicePixelRatio())
    x = round(rect.center().x() - size.width() / 2)
    y = round(rect.center().y() - size.height() / 2)
    painter.drawPixmap(x, y, pixmap)


def _load_fonts() -> str:
    """Register the bundled fonts; the name of their family, or of the system's font."""
    if "Inter" not in QFontDatabase.families():
        for name in _FONTS:
            data = _RESOURCES.joinpath("fonts", name).read_bytes()
            QFontDatabase.addApplicationFontFromData(QByteArray(data))
    return "Inter" if "Inter" in QFontDatabase.families() else QFont().family()


def _svg(name: str, color: str, *, filled: bool) -> bytes:
    text = _RESOURCES.joinpath("icons", f"{name}.svg").read_text(encoding="utf-8")
    text = text.replace("currentColor", color)
    return (text.replace('fill="none"', f'fill="{color}"') if filled else text).encode()


def _render(svg: bytes, size: int, ratio: float) -> QPixmap:
    pixels = round(size * ratio)
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg)).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
