"""What stories say to a server: small sounds in, JSON out."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests

from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

PATCH = {"Content-Type": "application/merge-patch+json"}


class Api:
    """The HTTP interface of one server, in short words."""

    def __init__(self, server: str) -> None:
        self.server = server

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        """Any request below `/api/v1`."""
        return requests.request(method, f"{self.server}/api/v1{path}", timeout=10, **given)

    def get(self, path: str) -> Any:
        """What is below `/api/v1` at this path."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> requests.Response:
        """POST of this JSON."""
        return self.ask("POST", path, json=body)

    def patch(self, path: str, rev: int | None = None, **patch: Any) -> requests.Response:
        """A merge patch, of this revision if one is given."""
        match = {} if rev is None else {"If-Match": f'"{rev}"'}
        return self.ask("PATCH", path, json=patch, headers=PATCH | match)

    def delete(self, path: str) -> requests.Response:
        """DELETE of what is below `/api/v1` at this path."""
        return self.ask("DELETE", path)

    def upload(self, seed: int, name: str = "", **where: str) -> dict[str, Any]:
        """A sound of its own for each seed, called `seed.wav` unless it has a name."""
        data = build_wav(Plan(frames=100, channels=1, seed=seed))
        arguments = {"name": name or f"{seed}.wav"} | where
        answer = requests.post(f"{self.server}/post", params=arguments, data=data, timeout=10)
        assert answer.status_code in (200, 201), answer.text
        sound: dict[str, Any] = answer.json()
        return sound

    def uploads(self, *seeds: int, **where: str) -> list[dict[str, Any]]:
        """Sounds whose waveforms are there too, so that nothing of them changes by itself."""
        paths = [f"/sounds/{self.upload(seed, **where)['id']}" for seed in seeds]
        for path in paths:
            until(partial(self._has_peaks, path))
        return [self.get(path) for path in paths]

    def _has_peaks(self, path: str) -> bool:
        return self.get(path)["links"]["peaks"] is not None

    def names(self, **filters: str) -> list[str]:
        """What `/list` says."""
        found: list[str] = requests.get(f"{self.server}/list", params=filters, timeout=10).json()
        return found

    def cursor(self) -> str:
        """The end of the feed as it is now."""
        page = self.get("/changes?limit=5000")
        assert not page["more"]
        cursor: str = page["cursor"]
        return cursor

    def news(self, since: str, *kinds: str) -> list[dict[str, Any]]:
        """What the feed has told since, of these kinds: `collection`, `sound` …"""
        results = self.get(f"/changes?limit=5000&since={since}")["results"]
        return [each for each in results if each["type"].partition(".")[0] in kinds]
