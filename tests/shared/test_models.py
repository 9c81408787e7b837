"""The nouns that travel can be read by any thread, and by several at the same time."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a new process, as only the first ones that are read are in danger.
_RACE = """
import sys, threading
from sonoteca_shared.models import Sound
import msgspec
sys.setswitchinterval(1e-6)
meeting = threading.Barrier(4)
def read():
    meeting.wait()
    try:
        msgspec.json.decode('{}', type=Sound)
    except msgspec.ValidationError:
        pass
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.slow
def test_the_first_sounds_can_be_read_by_several_threads() -> None:
    for _ in range(12):
        assert subprocess.run([sys.executable, "-c", _RACE], check=False).returncode == 0
