"""Runs probes side by side on a machine and prints each result as one framed line.

labctl sends this file over SSH to the machine's own python3 (3.8 or newer, standard library only) and adds a call of
main(). It writes no file. Frames, one per line: `labctl-begin CLOCK`, `labctl-probe JSON`, `labctl-end CLOCK`;
anything else on stdout (a login message) is not ours. JSON is plain ASCII, so neither locale nor bytes of a log can
break a frame.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

AT_ONCE = 8
MOST_BYTES = 2_000_000
TIMED_OUT = 124  # as timeout(1) of coreutils


def remains(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a killed command had printed; nothing if something that left its process group still holds the pipes."""
    try:
        return process.communicate(timeout=0.5)
    except subprocess.TimeoutExpired:
        return b"", b""


def run_probe(name: str, command: str, deadline: float) -> dict[str, object]:
    """Run one shell command line, deadline seconds at most, together with whatever it starts."""
    started = time.monotonic()
    process = subprocess.Popen(  # the probes are shell command lines of labctl's own
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=deadline)
        status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = remains(process)
        err += b"no end after %g s" % deadline
        status = TIMED_OUT
    return {
        "name": name,
        "status": status,
        "stdout": out[:MOST_BYTES].decode("utf-8", "replace"),
        "stderr": err[-4000:].decode("utf-8", "replace").strip(),
        "seconds": round(time.monotonic() - started, 4),
    }


def work(waiting: list[tuple[str, str, float]], lock: threading.Lock) -> None:
    """Take probes from the list until none is left; print each result as soon as it is there."""
    while True:
        with lock:
            if not waiting:
                return
            name, command, deadline = waiting.pop(0)
        frame = "labctl-probe " + json.dumps(run_probe(name, command, deadline)) + "\n"
        with lock:
            sys.stdout.write(frame)
            sys.stdout.flush()


def main(probes: list[tuple[str, str, float]], at_once: int = AT_ONCE) -> None:
    """Run all probes: (name, command, deadline in seconds); so many of them side by side."""
    os.environ["LC_ALL"] = "C"
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ.setdefault("HOME", "/root")
    sys.stdout.write(f"labctl-begin {time.time():.6f}\n")
    sys.stdout.flush()
    lock = threading.Lock()
    waiting = list(probes)
    workers = [threading.Thread(target=work, args=(waiting, lock)) for _ in range(min(at_once, len(waiting)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.stdout.write(f"labctl-end {time.time():.6f}\n")
