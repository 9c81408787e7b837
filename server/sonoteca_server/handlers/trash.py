"""The trash: listed, restored from, and purged one by one."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.paging import answer_page, read_ask
from sonoteca_server.handlers.sounds import checked_id
from sonoteca_shared import routes


class TrashHandler(Handler):
    """What is in the trash, the latest first."""

    async def get(self) -> None:
        ask = read_ask(self)
        page, docs = await self.services.trash.page(ask)
        answer_page(self, ask, page, docs)

    head = get


class TrashedHandler(Handler):
    """One sound in the trash, which goes for good: no step undoes that."""

    async def delete(self, sound_id: str) -> None:
        args.read_arguments(self.request, ())
        await self.services.trash.purge(checked_id(sound_id))
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class RestoreHandler(Handler):
    """Back from the trash; as with uploads, a name that is taken by now gets a number."""

    async def post(self, sound_id: str) -> None:
        args.read_arguments(self.request, ())
        restored = await self.services.trash.restore(checked_id(sound_id))
        sound = msgspec.json.decode(restored.doc)
        self.set_header("Location", routes.fill(routes.SOUND, id=sound["id"]))
        self.set_header("Sonoteca-Change", restored.step)
        self.set_header("Etag", f'"{sound["rev"]}"')
        told = {} if restored.renamed_from is None else {"renamed_from": restored.renamed_from}
        self.answer(sound | told)
