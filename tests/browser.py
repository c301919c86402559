"""A headless Chromium for tests, driven through its debugging pipe with the standard library alone.

Chromium reads commands of the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) from descriptor 3 and
writes answers to descriptor 4, as JSON that ends with a zero byte. The browser can reach this machine alone.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-dev-shm-usage"),
    "--remote-debugging-pipe",
)
TIMEOUT_SECONDS = 30


def find_browser() -> str | None:
    """Returns the path of a browser, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """Starts a browser with one empty page.

    `requests` lists the addresses that pages asked for, `errors` what they wrote to the console as an error.

    Arguments:
        profile: An empty folder for the browser's files.
    """

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The shell gives the pipes the numbers that the browser expects.
        script = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        words = ["bash", "-c", script, str(find_browser()), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            words, pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_browser), os.close(from_browser)
        self._buffer, self._last = b"", 0
        self.session: str | None = None
        self.loaded = False
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Returns the answer to a command of the protocol."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + TIMEOUT_SECONDS
        while True:
            answer = self._receive(end - time.monotonic())
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Returns the next message of the browser, and notes requests and errors."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, seconds))
            assert ready, "the browser does not answer"
            chunk = os.read(self._read, 1 << 16)
            assert chunk, "the browser ended"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        event, values = message.get("method"), message.get("params", {})
        if event == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif event == "Page.loadEventFired":
            self.loaded = True
        elif event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(values["exceptionDetails"]))
        elif event == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.errors.append(values["entry"]["text"] + " " + values["entry"].get("url", ""))
        return dict(message)

    def size(self, width: int, height: int = 900, phone: bool = False) -> None:
        """Sets the size of the page in pixels, as on a phone or not."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def dark(self, dark: bool) -> None:
        """Sets whether the visitor prefers dark pages."""
        value = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def open(self, url: str) -> None:
        """Opens a page, and waits until it and its pictures and scripts are loaded."""
        self.loaded = False
        self.call("Page.navigate", url=url)
        end = time.monotonic() + TIMEOUT_SECONDS
        while not self.loaded:
            self._receive(end - time.monotonic())

    def run(self, code: str) -> Any:
        """Returns the value of an expression of JavaScript; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{code}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait(self, code: str, until: Callable[[Any], bool] = bool, seconds: float = TIMEOUT_SECONDS) -> Any:
        """Returns the value of an expression once it fulfils a condition."""
        end = time.monotonic() + seconds
        while not until(value := self.run(code)):
            assert time.monotonic() < end, f"{code} is still {value!r:.300}; errors: {self.errors}"
            time.sleep(0.03)
        return value

    def upload(self, selector: str, file: Path) -> None:
        """Gives a file to an input of the page."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def screenshot(self, path: Path, full: bool = False) -> None:
        """Writes a picture of the page; `full` includes what is below the window."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Ends the browser."""
        self.process.terminate()
        self.process.wait()
        os.close(self._write), os.close(self._read)
