"""The look: fonts, icons and colours are all there, and can be read."""

from importlib.resources import files

import pytest
from PySide6.QtGui import QColor, QFontInfo, QFontMetricsF
from PySide6.QtWidgets import QApplication

from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.theme import DARK, LIGHT, Theme, Tokens

RESOURCES = files("sonoteca_desktop.resources")
ICONS = sorted(path.name for path in (RESOURCES / "icons").iterdir() if path.name.endswith(".svg"))


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    theme = Theme()
    theme.apply(qapp, DARK)
    return theme


def luminance(color: QColor) -> float:
    parts = (color.redF(), color.greenF(), color.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: QColor, other: QColor) -> float:
    """As WCAG 2 reckons it: 1 is invisible, 4.5 is good for small text, 3 for large and icons."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", [DARK, LIGHT])
@pytest.mark.parametrize("ground", ["background", "panel", "raised", "selection"])
@pytest.mark.parametrize(("ink", "least"), [("text", 7), ("dim", 4.5), ("accent", 3), ("faint", 3)])
def test_words_can_be_read_on_every_surface(
    qapp: QApplication, theme: Theme, name: str, ground: str, ink: str, least: float
) -> None:
    theme.apply(qapp, name)
    assert contrast(theme.color(ink), theme.color(ground)) >= least


@pytest.mark.parametrize("name", [DARK, LIGHT])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("danger", "panel"),
        ("danger", "background"),
        ("done", "background"),
        ("on_accent", "accent"),
    ],
)
def test_news_and_buttons_can_be_read(
    qapp: QApplication, theme: Theme, name: str, ink: str, ground: str
) -> None:
    theme.apply(qapp, name)
    assert contrast(theme.color(ink), theme.color(ground)) >= 4


def test_the_bundled_font_is_used_in_all_its_weights(theme: Theme) -> None:
    assert theme.family == "Inter"
    for weight in (400, 500, 600):
        info = QFontInfo(theme.font(13, weight))
        assert (info.family(), info.pixelSize()) == ("Inter", 13)
    wide = {weight: _width(theme, weight) for weight in (400, 500, 600)}
    assert wide[400] < wide[500] < wide[600]


def _width(theme: Theme, weight: int) -> float:
    return QFontMetricsF(theme.font(13, weight)).horizontalAdvance("Łódź tramwaj")


def test_digits_are_equally_wide(theme: Theme) -> None:
    metrics = QFontMetricsF(theme.font())
    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("0888")


@pytest.mark.parametrize("name", ICONS)
def test_every_icon_can_be_drawn_in_any_colour(theme: Theme, name: str) -> None:
    image = theme.pixmap(name.removesuffix(".svg"), "done", 32, ratio=2.0).toImage()
    assert (image.width(), image.devicePixelRatio()) == (64, 2.0)
    inked = {
        image.pixelColor(x, y).name()
        for x in range(64)
        for y in range(64)
        if image.pixelColor(x, y).alpha() == 255
    }
    assert QColor(theme.tokens.done).name() in inked


def test_icons_are_drawn_once(theme: Theme) -> None:
    one, two = (theme.pixmap("play", "text", 16) for _ in range(2))
    assert one.cacheKey() == two.cacheKey()


def test_every_icon_is_used_and_every_used_one_is_there() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (files("sonoteca_desktop.views")).iterdir()
        if path.name.endswith(".py")
    )
    unused = [name for name in ICONS if f'"{name.removesuffix(".svg")}"' not in code]
    assert unused == []
    assert {command.icon for command in Command if command.icon} <= {
        name.removesuffix(".svg") for name in ICONS
    }


def test_licences_lie_beside_what_they_are_for() -> None:
    assert "SIL OPEN FONT LICENSE" in (RESOURCES / "fonts" / "Inter-LICENSE.txt").read_text(
        encoding="utf-8"
    )
    assert "ISC License" in (RESOURCES / "icons" / "Lucide-LICENSE.txt").read_text(encoding="utf-8")


def test_the_style_sheet_has_a_colour_for_every_token_in_it(
    qapp: QApplication, theme: Theme
) -> None:
    sheet = qapp.styleSheet()
    comment, rules = sheet.split("*/", 1)
    assert "@" not in rules
    assert "@token" in comment
    assert theme.tokens.hairline in rules
    assert set(Tokens.__slots__) >= {"background", "accent", "danger"}


@pytest.mark.usefixtures("qapp")
def test_an_unknown_theme_is_the_dark_one() -> None:
    assert Theme("neon").name == DARK
