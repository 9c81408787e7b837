"""Jobs: what the server does by itself, how far it is, and a way to have it stop."""

from __future__ import annotations

import msgspec

from sonoteca_server.catalog.jobs import STATES
from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.paging import answer_page, read_ask
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.ids import is_id

_FILTERS = ("state", "kind")


class JobsHandler(Handler):
    """All jobs of the last day and those that have not ended, the newest first."""

    async def get(self) -> None:
        ask = read_ask(self, _FILTERS)
        given = args.read_arguments(self.request, (*args.PAGING, *_FILTERS))
        state, kind = given.get("state"), given.get("kind")
        if state is not None and state not in STATES:
            raise BadRequestError(f"“state” is one of {', '.join(STATES)}, not “{state[:100]}”")
        if kind is not None and "\0" in kind:  # which PostgreSQL does not know
            raise BadRequestError("“kind” takes text without NUL characters")
        page, jobs = await self.services.jobs.page(ask, state=state, kind=kind)
        answer_page(self, ask, page, (msgspec.json.encode(each).decode() for each in jobs))

    head = get


class JobHandler(Handler):
    """One job."""

    async def get(self, job_id: str) -> None:
        args.read_arguments(self.request, ())
        self.answer(await self.services.jobs.get(_checked_id(job_id)))

    head = get

    async def delete(self, job_id: str) -> None:
        """Cancel it; the answer is the job as it is then, which may have ended before."""
        await self.services.jobs.cancel(_checked_id(job_id))
        await self.services.archives.end_lost()
        self.answer(await self.services.jobs.get(job_id))


def _checked_id(text: str) -> str:
    """The id of a path; one that is misshapen names nothing."""
    if not is_id(text):
        raise NotFoundError("there is no job with this id")
    return text
