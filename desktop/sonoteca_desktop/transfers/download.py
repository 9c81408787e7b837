"""Carries out a download: into a part file, checked before it gets its name.

What the journal counts is on the disk, and only what came after that is fetched again when the
power fails. When only the program was killed, nothing is, unless the file came in several segments
or has no digest that would tell whether its bytes are of one version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers import target, zipped
from sonoteca_desktop.transfers.connections import Connections
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.crew import Crew
from sonoteca_desktop.transfers.fetching import Fetcher, NoRangesError, Wanted
from sonoteca_desktop.transfers.part import Part
from sonoteca_desktop.transfers.plan import CorruptError
from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_desktop.transfers.segments import Segments, is_big

__all__ = ["Download", "Landed", "Wanted", "find_landed"]  # what those who carry one out need


@dataclass(frozen=True, slots=True)
class Landed:
    """The finished file, which may have got a number; and what to tell the user of it."""

    path: Path
    note: str = ""
    code: str = ""
    """What kind of thing the note tells, where more can be said of it."""


def find_landed(wanted: Wanted, mark: str, control: Control) -> Landed | None:
    """What an earlier run gave its name to, and was ended before it could tell."""
    with target.local_trouble(wanted.path):
        path = target.find_marked(wanted.path, mark)
        if path is None:
            return None
        control.begin_check()
        found = _missing(path, control) if wanted.zipped else ""
        wanted.part.unlink(missing_ok=True)  # the same file, where it has both names
        return _landed(wanted, path, found)


class Download:
    """One run of a download, from where the journal says that the bytes are safe.

    `remember` is told of every step that is safe, before it counts, and `landing` of the mark of a
    file without a digest, before it gets its name. Without `connections` all comes over one.
    """

    def __init__(
        self,
        client: Client,
        wanted: Wanted,
        segments: Segments,
        control: Control,
        *,
        remember: Callable[[Segments], None],
        landing: Callable[[str], None] = lambda _: None,
        cache: RangeCache | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._segments = segments
        self._control = control
        self._remember = remember
        self._landing = landing
        self._cache = cache
        self._connections = connections

    def run(self) -> Landed:
        """Fetch what is missing, compare, and give the file its name."""
        wanted = self._wanted
        with target.local_trouble(wanted.path):
            if wanted.sha256 and not wanted.part.exists():
                copy = target.find_copy(
                    wanted.path, wanted.size, wanted.sha256, self._control.go_on
                )
                if copy is not None:
                    self._control.begin_check()
                    return Landed(copy, "already there")
            with target.open_part(wanted.part) as file:
                part = Part(
                    file,
                    self._begin(),
                    remember=self._remember,
                    progressed=self._control.progressed,
                    cache=self._cache,
                    is_checked=bool(wanted.sha256),
                )
                self._fetch(part)
                self._control.begin_check()
                found = self._verify(part)
                if not wanted.sha256:
                    self._landing(target.mark(file))
            path = target.land(wanted.part, wanted.path)
        return _landed(wanted, path, found)

    def _begin(self) -> Segments:
        """Those of before; new ones when nothing has come so far."""
        several = self._connections is not None and self._connections.several
        part = self._wanted.part
        if self._segments.safe or not several or (part.exists() and part.stat().st_size):
            return self._segments
        return Segments.begin(self._wanted.size, several=True)

    def _fetch(self, part: Part) -> None:
        try:
            self._crew(part, self._cache, self._connections).run()
        except NoRangesError:
            # There are no parts to fill in, and nobody can help.
            part.begin_again(Segments.begin(self._wanted.size))
            self._crew(part, None, None).run()
        finally:
            part.sync()

    def _crew(self, part: Part, cache: RangeCache | None, connections: Connections | None) -> Crew:
        def make(control: Control, flowing: Callable[[], None]) -> Fetcher:
            return Fetcher(
                self._client,
                self._wanted,
                part,
                control,
                cache=cache,
                flowing=flowing,
                shared=self._is_shared(connections),
            )

        return Crew(self._control, part, connections, make, self._client.leave)

    def _is_shared(self, connections: Connections | None) -> bool:
        several = connections is not None and connections.several
        return several and is_big(self._wanted.size)

    def _verify(self, part: Part) -> str:
        """Nothing, or what is to be told of it; or an error, where it is not what it should be."""
        wanted = self._wanted
        if wanted.zipped:
            return _missing(wanted.part, self._control)
        if not wanted.sha256:
            return ""  # by ETag and length is all that it can be known
        given = part.digest(wanted.part, self._control.go_on)
        if given != wanted.sha256:
            if self._cache is not None:
                self._cache.forget()  # some of the wrong bytes may be from there
            raise CorruptError(expected=wanted.sha256, given=given)
        return ""


def _missing(path: Path, control: Control) -> str:
    return zipped.missing_words(zipped.verify(path, control.go_on))


def _landed(wanted: Wanted, path: Path, found: str) -> Landed:
    saved = "" if path == wanted.path else f"saved as {path.name}"
    note = "; ".join(filter(None, (saved, found)))
    return Landed(path, note, zipped.MISSING if found else "")
