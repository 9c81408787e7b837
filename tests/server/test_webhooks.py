"""Webhooks: signed, tried again, on record, and never in the way of other jobs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonoteca_server.catalog.pages import Ask
from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.outward import Outward
from sonoteca_server.jobs.webhooks import Webhooks
from sonoteca_server.jobs.worker import Task
from sonoteca_server.library.archive_rows import ArchiveState, Finished
from sonoteca_server.library.hooks import Hooks
from sonoteca_shared.models import Job
from tests.kit.jobs import World, in_world
from tests.kit.outgoing import outgoing
from tests.kit.upstream import Answer, Upstream, Visit, upstream

SECRET = b"a key of the receiver"
WRITTEN = f"whsec_{base64.b64encode(SECRET).decode()}"
BODY = {"type": "archive.completed", "data": {"archive_hash": "1f", "note": "Übersee"}}


@pytest.fixture
def receiver() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def answering(*statuses: int) -> Answer:
    """Answers with one status after the other, the last one from then on."""
    left = list(statuses)

    def answer(visit: Visit) -> None:
        visit.head(left.pop(0) if len(left) > 1 else left[0], content_length=0)

    return answer


def deliver(folder: Path, url: str, *, secret: str = WRITTEN, allow: str = "") -> Job:
    """What becomes of a webhook, with no pauses between its tries."""

    async def work(world: World) -> Job:
        outward = Outward(Guard(parse_allow(allow)), idle_s=5.0)
        webhooks = Webhooks(outward, secret=secret, pauses_s=[0.0] * 5)
        job_id = await world.jobs.submit("webhook", {"url": url, "body": BODY})
        async with world.working({"webhook": webhooks.run}):
            return await world.until(job_id, "done", "failed")

    return in_world("sqlite", folder, work)


def signature(visit: Visit, key: bytes) -> str:
    """What Standard Webhooks says that the signature is."""
    signed = b".".join(
        (
            visit.fields["webhook-id"].encode(),
            visit.fields["webhook-timestamp"].encode(),
            visit.body,
        )
    )
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_a_webhook_is_a_signed_post_of_json(tmp_path: Path, receiver: Upstream) -> None:
    url = receiver.url("/hook?token=1", answering(204))
    job = deliver(tmp_path, url, allow=receiver.place)
    (visit,) = receiver.visits
    assert (visit.method, visit.path) == ("POST", "/hook?token=1")
    assert visit.fields["Content-Type"] == "application/json"
    assert json.loads(visit.body) == BODY
    assert visit.fields["webhook-id"] == job.id
    assert abs(int(visit.fields["webhook-timestamp"]) - time.time()) < 60
    assert visit.fields["webhook-signature"] == signature(visit, SECRET)
    assert job.result == {"status": 204}
    assert not {"Cookie", "Authorization", "Referer"} & set(visit.fields)


def test_a_secret_that_is_plain_text_signs_as_it_is(tmp_path: Path, receiver: Upstream) -> None:
    deliver(tmp_path, receiver.url("/", answering(200)), secret="plain", allow=receiver.place)
    assert receiver.visits[0].fields["webhook-signature"] == signature(receiver.visits[0], b"plain")


def test_without_a_secret_nothing_is_signed(tmp_path: Path, receiver: Upstream) -> None:
    deliver(tmp_path, receiver.url("/", answering(200)), secret="", allow=receiver.place)
    assert "webhook-signature" not in receiver.visits[0].fields


def test_a_receiver_in_trouble_is_told_again_by_the_same_id(
    tmp_path: Path, receiver: Upstream
) -> None:
    job = deliver(tmp_path, receiver.url("/", answering(500, 429, 302, 200)), allow=receiver.place)
    assert job.state == "done"
    assert [visit.fields["webhook-id"] for visit in receiver.visits] == [job.id] * 4
    assert all(v.fields["webhook-signature"] == signature(v, SECRET) for v in receiver.visits)


def test_after_five_more_tries_it_is_given_up_and_said_why(
    tmp_path: Path, receiver: Upstream
) -> None:
    job = deliver(tmp_path, receiver.url("/", answering(503)), allow=receiver.place)
    assert len(receiver.visits) == 6
    assert job.error is not None
    assert (job.error.code, job.error.detail) == ("webhook-refused", "the receiver answered 503")


def test_a_receiver_that_is_gone_is_not_asked_again(tmp_path: Path, receiver: Upstream) -> None:
    job = deliver(tmp_path, receiver.url("/", answering(410)), allow=receiver.place)
    assert (job.state, len(receiver.visits)) == ("failed", 1)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest", "address-not-public"),
        ("http://[::1]/", "address-not-public"),
        ("http://localhost:1/", "address-not-public"),
        ("ftp://example.org/", "bad-url"),
    ],
)
def test_a_webhook_never_goes_inward(tmp_path: Path, url: str, code: str) -> None:
    with outgoing() as seen:
        job = deliver(tmp_path, url)
    assert seen.places == []
    assert job.error is not None
    assert (job.state, job.error.code, job.attempts) == ("failed", code, 1)


def test_the_allow_list_is_exact(tmp_path: Path, receiver: Upstream) -> None:
    job = deliver(
        tmp_path, receiver.url("/", answering(200)), allow=f"127.0.0.1:{receiver.port + 1}"
    )
    assert (job.state, receiver.visits) == ("failed", [])


def test_a_silent_receiver_holds_up_nobody_else(tmp_path: Path, receiver: Upstream) -> None:
    url = receiver.url("/", Visit.stall)

    async def work(world: World) -> list[str]:
        outward = Outward(Guard(parse_allow(receiver.place)), idle_s=60.0)

        async def do(_task: Task) -> None:
            pass

        handlers = {"webhook": Webhooks(outward, secret=WRITTEN).run, "work": do}
        hooks = [await world.jobs.submit("webhook", {"url": url, "body": BODY}) for _ in range(6)]
        async with world.working(handlers):
            await world.until(hooks[0], "running")
            await world.until(await world.jobs.submit("work", {}))
            return [(await world.jobs.get(hook)).state for hook in hooks]

    assert "done" not in in_world("sqlite", tmp_path, work)


def test_a_silent_receiver_holds_up_no_other_receiver(tmp_path: Path, receiver: Upstream) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def work(world: World) -> None:
        places = [f"{host}.example:{receiver.port}" for host in ("silent", "good")]
        guard = Guard(parse_allow(",".join(places)))
        webhooks = Webhooks(Outward(guard, idle_s=60.0, resolve=resolve), secret=WRITTEN)
        receiver.answers |= {"/silent": Visit.stall, "/good": answering(200)}
        for _ in range(20):
            args = {"url": f"http://{places[0]}/silent", "body": BODY}
            await world.jobs.submit("webhook", args)
        args = {"url": f"http://{places[1]}/good", "body": BODY}
        good = await world.jobs.submit("webhook", args)
        async with world.working({"webhook": webhooks.run}):
            await world.until(good)

    in_world("sqlite", tmp_path, work)


def test_each_try_is_on_record_without_what_a_url_may_hide(
    tmp_path: Path, receiver: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sonoteca_server.jobs.webhooks")
    url = receiver.url("/services/T0/private?token=1", answering(500, 200))
    job = deliver(tmp_path, url, allow=receiver.place)
    facts: list[dict[str, Any]] = [record.__dict__["facts"] for record in caplog.records]
    assert [(each["webhook"], each["attempt"]) for each in facts] == [(job.id, 1), (job.id, 2)]
    assert facts[0]["detail"] == "the receiver answered 500"
    assert facts[1]["status"] == 200
    assert {each["receiver"] for each in facts} == {f"http://{receiver.place}"}
    assert "private" not in json.dumps(facts)


@pytest.mark.parametrize(
    ("state", "data"),
    [
        (
            ArchiveState.COMPLETED,
            {"archive_hash": "1f", "status": "completed", "url": "http://us/archive/get/1f.zip"},
        ),
        (ArchiveState.FAILED, {"archive_hash": "1f", "status": "failed"}),
    ],
)
def test_whoever_asked_hears_once_how_an_archive_ended(
    tmp_path: Path, state: ArchiveState, data: dict[str, str]
) -> None:
    async def work(world: World) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []

        async def hear(task: Task) -> None:
            heard.append(task.args)

        for callback in ("http://asker/", "http://team/", None):
            finished = Finished("1f", state, "http://us", callback)
            await world.catalog.write(Hooks("http://team/").archive_ended, finished)
        async with world.working({"webhook": hear}):
            _, made = await world.jobs.page(Ask(9))
            for job in made:
                await world.until(job.id)
        return heard

    heard = in_world("sqlite", tmp_path, work)
    assert sorted(each["url"] for each in heard) == ["http://asker/", "http://team/"]
    for each in heard:
        assert each["body"]["type"] == f"archive.{state}"
        assert each["body"]["data"] == data
