"""A headless Chromium driven over its debugging pipe: enough to open a page, touch it, and see what it did."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
DEADLINE = 30.0

ON_PIPES = (
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.dup2(int(sys.argv[2]), 4)\n"
    "os.execvp(sys.argv[3], sys.argv[3:])\n"
)
"""The browser reads its orders from descriptor 3 and answers on 4."""


def find_chromium() -> str | None:
    """Return the browser of this machine."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
        None,
    )


class Page:
    """One tab; collects every request, console message and exception."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._write = to_browser
        self._read = from_browser
        self._buffer = b""
        self._number = 0
        self.requests: list[str] = []
        self.troubles: list[str] = []
        self._loaded = False
        target = self._call("Target.createTarget", {"url": "about:blank"}, session=None)["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True}, session=None)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, media: str = "screen"
    ) -> None:
        """Open a file in a window of this size and wait until it has loaded."""
        metrics: dict[str, object] = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
        self._loaded = False
        self.requests.clear()
        self.troubles.clear()
        self._call("Page.navigate", {"url": path.as_uri()})
        self._pump(lambda: self._loaded, "the page to load")
        self.wait("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        answer = self._call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + DEADLINE
        while not (last := self.value(expression)):
            assert time.monotonic() < end, f"{expression} is still {last!r}"

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """Send a mouse event: mousePressed, mouseReleased, mouseMoved or mouseWheel."""
        self._call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at one point, move to the other, release."""
        self.mouse("mousePressed", *start, button="left", clickCount=1)
        self.mouse("mouseMoved", *end, button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)

    def key(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else {}
        self._call("Input.dispatchKeyEvent", {"type": "keyDown", "key": key, **text})
        self._call("Input.dispatchKeyEvent", {"type": "keyUp", "key": key})

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self._call("Page.printToPDF", {"printBackground": True})["data"])

    def _call(
        self, method: str, parameters: dict[str, object] | None = None, session: str | None = ""
    ) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters or {}}
        if session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        answer: dict[str, Any] = {}

        def answered() -> bool:
            return bool(answer)

        self._pump(answered, method, answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])

    def _pump(self, done: Callable[[], bool], what: str, answer: dict[str, Any] | None = None) -> None:
        end = time.monotonic() + DEADLINE
        while not done():
            if b"\0" not in self._buffer:
                ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
                assert ready, f"the browser did not answer {what} in {DEADLINE} s"
                chunk = os.read(self._read, 1 << 20)
                assert chunk, f"the browser ended before it answered {what}"
                self._buffer += chunk
                continue
            raw, _, self._buffer = self._buffer.partition(b"\0")
            message = json.loads(raw)
            if answer is not None and message.get("id") == self._number:
                answer.update(message)
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.troubles.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "warning", "assert"}:
            self.troubles.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in {"error", "warning"}:
            self.troubles.append(parameters["entry"]["text"])


@contextmanager
def browse(chromium: str, profile: Path) -> Iterator[Page]:
    """Run a browser with a new profile, and end it."""
    child_reads, we_write = os.pipe()
    we_read, child_writes = os.pipe()
    command = [chromium, *FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [sys.executable, "-c", ON_PIPES, str(child_reads), str(child_writes), *command],
        pass_fds=(child_reads, child_writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(child_reads)
    os.close(child_writes)
    try:
        yield Page(we_write, we_read)
    finally:
        os.close(we_write)
        os.close(we_read)
        process.terminate()
        process.wait(DEADLINE)
