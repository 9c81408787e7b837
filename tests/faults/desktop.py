"""A desktop's transfers without a window, to be killed: SERVER JOURNAL LIMIT.

What the journal knows goes on by itself, at so many bytes a second (0: as fast as it can); it ends
when all is over.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import TransferQueue

if __name__ == "__main__":
    server, journal, limit = sys.argv[1:]
    changed = threading.Event()
    queue = TransferQueue(Journal(Path(journal)), Client(server), changed=changed.set)
    queue.set_limit(int(limit) or None)
    queue.start()
    while queue.busy:
        changed.wait()
        changed.clear()
    queue.stop()
