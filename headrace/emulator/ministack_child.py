"""Runs MiniStack until it receives SIGTERM or its parent process ends.

Executed by the Python of MiniStack's own environment, so it imports nothing from this project. Its standard
input is a pipe from the parent, which closes however the parent ends.
"""

import os
import signal
import sys
import threading


def _end_with_parent() -> None:
    # Not sys.stdin: a thread blocked in a buffered read breaks the interpreter's shutdown.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from ministack.app import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    main()
