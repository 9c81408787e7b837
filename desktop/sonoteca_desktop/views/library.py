"""The middle of the window: what is listed, how many, the table, or why there is nothing."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.models.sounds import SoundsModel
from sonoteca_desktop.views.connection import Connection, OfflineBanner, Reach
from sonoteca_desktop.views.layout import Label, column, row
from sonoteca_desktop.views.notice import Notice
from sonoteca_desktop.views.states import EmptyState, Picture, Way
from sonoteca_desktop.views.table import SoundTable
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.waveform import WaveformPainter


class LibraryView(QWidget):
    """The table with its heading; in its place, when it is empty, what to do about that.

    Signals:
        wayTaken(str): a button of an empty table was pressed; the value of its Way.
        retryRequested(): the server is to be asked again at once.
        menuRequested(QPoint): a menu for the selected rows, at this point of the screen.
    """

    wayTaken = Signal(str)
    retryRequested = Signal()
    menuRequested = Signal(QPoint)

    def __init__(
        self, theme: Theme, model: SoundsModel, waveforms: WaveformPainter, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setObjectName("libraryPage")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._model = model
        self._connection = Connection(Reach.CONNECTING, "")
        self._error = ""
        self.banner = OfflineBanner(theme, self)
        self.notice = Notice(theme, self)
        self._title = Label(theme, "libraryTitle", self, text="All sounds", pixels=15, weight=600)
        self._count = Label(theme, "countLabel", self, tone="dim")
        self.table = SoundTable(theme, model, waveforms, self)
        self.empty = EmptyState(theme, self)
        self._blank = QWidget(self)
        self._stack = QStackedWidget(self)
        for page in (self._blank, self.table, self.empty):
            self._stack.addWidget(page)
        self._arrange()
        self._connect()
        self._show()

    def _arrange(self) -> None:
        heading = row(margins=(16, 12, 16, 8))
        heading.addWidget(self._title, 1)
        heading.addWidget(self._count)
        box = column(self)
        box.addWidget(self.banner)
        box.addWidget(self.notice)
        box.addLayout(heading)
        box.addWidget(self._stack, 1)

    def _connect(self) -> None:
        self._model.swapped.connect(self._swapped)
        self._model.failed.connect(self._failed)
        self.banner.retryRequested.connect(self.retryRequested)
        self.banner.ticked.connect(self._show)
        self.empty.wayTaken.connect(self.wayTaken)
        self.table.chosen.connect(self._show_count)
        self.table.customContextMenuRequested.connect(self._ask_menu)

    def show_connection(self, connection: Connection) -> None:
        self._connection = connection
        self.banner.show_connection(connection)
        self._show()

    def set_title(self, title: str) -> None:
        self._title.setText(title)

    @property
    def picture(self) -> Picture | None:
        """What stands in place of the table; None when there are rows to show."""
        if self._error:
            return Picture(
                "circle-alert", "The library cannot be shown", self._error, (Way.REFRESH,)
            )
        if self._model.rowCount():
            return None
        if self._model.shown.words:
            return Picture(
                "search",
                f"Nothing matches “{self._model.shown.words}”",
                "All of it has to hold of a sound. Words are looked for in its name, its "
                "description and its tags.",
                (Way.CLEAR_SEARCH,),
            )
        if self._model.total:
            return self._empty_scope()
        return self._empty_library()

    def _empty_scope(self) -> Picture:
        if self._model.shown.scope.kind == "local":
            return Picture(
                "hard-drive",
                "Nothing is on this computer yet",
                "Select sounds and press Enter to download them. Until then they play "
                "from the server.",
                (Way.SHOW_ALL,),
            )
        return Picture("folder", "This folder is empty", "", (Way.SHOW_ALL,))

    def _empty_library(self) -> Picture:
        name = self._connection.name or "the server"
        match self._connection.reach:
            case Reach.OFFLINE:
                return Picture(
                    "cloud-off",
                    f"The library on {name} cannot be reached",
                    "Check that the server is running and that this computer is on its network. "
                    + self.banner.next_try,
                    (Way.RETRY,),
                )
            case Reach.STUCK:
                return Picture(
                    "circle-alert",
                    f"The library on {name} cannot be listed",
                    f"{self._connection.reason} {self.banner.next_try}",
                    (Way.RETRY,),
                )
            case Reach.CONNECTING:
                return Picture("server", f"Opening the library on {name}…", "")
            case Reach.ONLINE:
                return Picture(
                    "upload",
                    "Drop WAV files or folders here",
                    f"They are copied to {name} and listed here, folders kept. Nothing on this "
                    "computer is moved or changed.",
                    (Way.UPLOAD_FILES, Way.UPLOAD_FOLDER),
                )

    def _swapped(self, _fresh: bool) -> None:
        self._error = ""
        self._show()

    def _failed(self, sentence: str) -> None:
        self._error = sentence
        self._show()

    def _show(self) -> None:
        """Put the right page in front, and the banner over it when that says something more."""
        picture = self.picture
        offline = not self._connection.is_up
        self.banner.setVisible(offline and (picture is None or Way.RETRY not in picture.ways))
        if picture is None:
            self._stack.setCurrentWidget(self.table)
        elif self._model.loaded or self._error or offline:
            self.empty.show_picture(picture)
            self._stack.setCurrentWidget(self.empty)
        self._show_count()

    def _show_count(self) -> None:
        rows, total = self._model.rowCount(), self._model.total
        selected = len(self.table.selectionModel().selectedRows())
        text = units.sounds(rows)
        if rows != total:
            text = f"{units.count(rows)} of {units.sounds(total)}"
        if selected > 1:
            text = f"{units.count(selected)} selected · {text}"
        self._count.setText(text if total else "")

    def _ask_menu(self, point: QPoint) -> None:
        if self.table.indexAt(point).isValid():
            self.menuRequested.emit(self.table.viewport().mapToGlobal(point))
