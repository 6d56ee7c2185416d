"""Runs MiniStack until it is told to stop, or until whoever started it is gone.

Executed by the Python of MiniStack's own environment, so it imports nothing of ours. Its standard
input is a pipe from the parent: when the parent ends, however it ends, the pipe closes.
"""

import os
import signal
import sys
import threading


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that waits in a buffered read breaks the interpreter's orderly end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from ministack.app import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    main()
