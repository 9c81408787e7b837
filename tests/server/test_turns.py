"""Many searches from one address: others are served meanwhile, and it is told to wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from sonoteca_server.wire.errors import TooManyError
from sonoteca_server.wire.turns import MOST, Turns


def test_each_address_has_a_share_and_gets_it_back() -> None:
    turns = Turns(2)
    with turns.taken("a"), turns.taken("a"), turns.taken("b"):
        with pytest.raises(TooManyError, match="2 searches"), turns.taken("a"):
            pass
        with turns.taken("b"):
            pass
    with turns.taken("a"), turns.taken("a"):
        pass


@pytest.mark.timeout(60)
def test_who_searches_for_too_much_at_once_is_told_to_wait(server: str) -> None:
    # Each holds a reader of the catalogue for a while: nobody has so many words in a name.
    question = " OR ".join(f"-(w{number} x)" for number in range(60))

    def ask(_number: int) -> requests.Response:
        return requests.get(f"{server}/api/v1/sounds", params={"q": question}, timeout=30)

    with ThreadPoolExecutor(4 * MOST) as pool:
        answers: list[Any] = list(pool.map(ask, range(4 * MOST)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("too-many-requests", "1")
    assert ask(0).status_code == 200
