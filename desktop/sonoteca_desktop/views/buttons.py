"""Buttons that paint themselves from the theme: with words, and with an icon alone."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from sonoteca_desktop.views.theme import Theme, paint_pixmap

_RADIUS = 8.0


class ThemedButton(QAbstractButton):
    """What all our buttons share: hover, focus frame, and the space bar."""

    def __init__(self, theme: Theme, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._icon_name = icon
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_icon(self, name: str) -> None:
        if name != self._icon_name:
            self._icon_name = name
            self.update()

    @property
    def icon_name(self) -> str:
        return self._icon_name

    def event(self, event: QEvent) -> bool:
        # The space bar plays and stops everywhere in the window, but it presses a focused button.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Space
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
            return
        super().keyPressEvent(event)

    def _painter(self) -> QPainter:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        return painter

    def _paint_focus(self, painter: QPainter, radius: float) -> None:
        if self.hasFocus():
            painter.setPen(QPen(self.theme.color("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)


class TextButton(ThemedButton):
    """A button with words, and an icon before them if it has one."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        *,
        icon: str = "",
        primary: bool = False,
        height: int = 32,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, icon, parent)
        self._primary = primary
        self._height = height
        self.setText(text)
        self.setAccessibleName(text)
        self.setFont(theme.font(13, 600 if primary else 500))

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 28
        return QSize(width + (23 if self._icon_name else 0), self._height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = self._painter()
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(self._surface())
        painter.setPen(Qt.PenStyle.NoPen if self._primary else self.theme.color("hairline"))
        painter.drawRoundedRect(frame, _RADIUS, _RADIUS)
        shade = "on_accent" if self._primary else "text"
        if not self.isEnabled():
            shade = "faint"
        left = 14.0
        if self._icon_name:
            ratio = self.devicePixelRatioF()
            pixmap = self.theme.pixmap(self._icon_name, shade, ratio=ratio)
            paint_pixmap(painter, QRectF(left, 0, 16, self.height()), pixmap)
            left += 23
        painter.setPen(self.theme.color(shade))
        place = QRectF(left, 0, self.width() - left, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, self.text())
        if self._primary and self.hasFocus():
            painter.setPen(QPen(self.theme.color("text"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
        elif not self._primary:
            self._paint_focus(painter, _RADIUS)

    def _surface(self) -> QColor:
        if self._primary and self.isEnabled():
            return self.theme.color("accent_hover" if self.underMouse() else "accent")
        hovered = self.underMouse() and self.isEnabled()
        return self.theme.color("selection" if hovered else "raised")


class IconButton(ThemedButton):
    """A button that is an icon; its name stands in the tool tip and for screen readers."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        *,
        size: int = 32,
        icon_size: int = 18,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, icon, parent)
        self._size = size
        self._icon_size = icon_size
        self.set_name(name)

    def set_name(self, name: str) -> None:
        self.setAccessibleName(name)
        self.setToolTip(name)

    def sizeHint(self) -> QSize:
        return QSize(self._size, self._size)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = self._painter()
        shade = "dim" if self.isEnabled() else "faint"
        if not self.isEnabled():
            painter.setOpacity(0.55)
        if self.isEnabled() and (self.underMouse() or self.isChecked()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.theme.color("raised"))
            painter.drawRoundedRect(QRectF(self.rect()), _RADIUS, _RADIUS)
            shade = "text"
        pixmap = self.theme.pixmap(
            self._icon_name, shade, self._icon_size, ratio=self.devicePixelRatioF()
        )
        paint_pixmap(painter, QRectF(self.rect()), pixmap)
        self._paint_focus(painter, _RADIUS)


class RoundButton(ThemedButton):
    """The one round button in the accent colour: play and pause."""

    def __init__(self, theme: Theme, name: str, *, size: int = 40) -> None:
        super().__init__(theme, "play")
        self._size = size
        self.set_name(name)

    def set_name(self, name: str) -> None:
        self.setAccessibleName(name)
        self.setToolTip(name)

    def sizeHint(self) -> QSize:
        return QSize(self._size, self._size)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = self._painter()
        enabled = self.isEnabled()
        shade = "accent_hover" if self.underMouse() else "accent"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.color(shade if enabled else "raised"))
        middle = QPointF(self._size / 2, self._size / 2)
        painter.drawEllipse(middle, self._size / 2 - 1, self._size / 2 - 1)
        pixmap = self.theme.pixmap(
            self._icon_name,
            "on_accent" if enabled else "faint",
            18,
            ratio=self.devicePixelRatioF(),
            filled=True,
        )
        nudge = 1.5 if self._icon_name == "play" else 0.0  # a triangle looks off in its box
        paint_pixmap(painter, QRectF(self.rect()).translated(nudge, 0), pixmap)
        if self.hasFocus():
            painter.setPen(QPen(self.theme.color("text"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(middle, self._size / 2 - 3, self._size / 2 - 3)
