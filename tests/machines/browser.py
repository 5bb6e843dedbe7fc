"""Debian's Chromium without a window, told what to do over a pipe (Chrome DevTools Protocol, JSON ended by a NUL)."""

from __future__ import annotations

import base64
import itertools
import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = "chromium"
WITHIN_SECONDS = 120.0
"""The machine may be slow, and a browser is heavy."""

Message = dict[str, Any]


class Browser:
    """One page. Built by :func:`browser`.

    Attributes:
        complaints: what the page's console was told as an error or warning, and what was blocked or not answered.
    """

    def __init__(self, to: int, from_: int) -> None:
        self.complaints: list[str] = []
        self._to, self._from = to, from_
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._heard: list[Message] = []
        self._session = ""
        self._ready = selectors.DefaultSelector()
        self._ready.register(from_, selectors.EVENT_READ)

    def open_page(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Message:
        """Return the answer to a command. Raises AssertionError for an error."""
        number = next(self._numbers)
        said = {"id": number, "method": method, "params": parameters}
        if self._session:
            said["sessionId"] = self._session
        os.write(self._to, json.dumps(said).encode() + b"\0")
        return self._await(lambda message: message.get("id") == number)

    def visit(self, url: str) -> None:
        """Open an address, and wait until all of the page is there."""
        self._heard.clear()
        self.ask("Page.navigate", url=url)
        self._await(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, script: str) -> Any:
        """Return what an expression of JavaScript gives, awaited."""
        said = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true."""
        give_up = time.monotonic() + WITHIN_SECONDS
        while not self.evaluate(script):
            assert time.monotonic() < give_up, script
            time.sleep(0.05)

    def press(self, key: str, code: int) -> None:
        """Press a key. ``code``: its number in Windows, by which Chromium knows it."""
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
        if key == "Enter":
            self.ask("Input.dispatchKeyEvent", type="char", text="\r", key=key)

    def look_like(self, *, width: int, height: int = 900, dark: bool = False, mobile: bool = False) -> None:
        """Be a window of this size, of somebody who likes it light or dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def scripts(self, *, on: bool) -> None:
        """Let pages run scripts, or none."""
        self.ask("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self) -> bytes:
        """Return the window as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def _await(self, wanted: Any) -> Message:
        for message in self._heard:
            if wanted(message):
                self._heard.remove(message)
                return message
        give_up = time.monotonic() + WITHIN_SECONDS
        while time.monotonic() < give_up:
            for message in self._read(give_up):
                self._note(message)
                if wanted(message):
                    assert "error" not in message, message
                    return dict(message.get("result", message))
                self._heard.append(message)
        raise AssertionError("Chromium does not answer")

    def _read(self, give_up: float) -> Iterator[Message]:
        if not self._ready.select(max(0.0, give_up - time.monotonic())):
            return
        piece = os.read(self._from, 1 << 20)
        assert piece, "Chromium has ended"
        *messages, self._buffer = (self._buffer + piece).split(b"\0")
        yield from [json.loads(message) for message in messages]

    def _note(self, message: Message) -> None:
        said = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded" if said["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(said["entry"]["text"])
            case "Runtime.consoleAPICalled" if said["type"] in {"error", "warning"}:
                self.complaints.append(str(said["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(said["exceptionDetails"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Run Chromium with an empty profile in a folder, and end it."""
    (ask_read, ask_write), (tell_read, tell_write) = os.pipe(), os.pipe()
    flags = [
        "--headless=new",
        "--no-sandbox",  # as root, in CI; it looks at loopback alone
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        "--font-render-hinting=none",
        f"--user-data-dir={folder}",
        "--remote-debugging-pipe",
    ]
    # Chromium reads commands from descriptor 3 and writes to 4. Other shells know descriptors of one digit alone.
    script = f'exec {COMMAND} "$@" 3<&{ask_read} 4>&{tell_write}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *flags],
        pass_fds=(ask_read, tell_write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    os.close(ask_read)
    os.close(tell_write)
    try:
        page = Browser(ask_write, tell_read)
        page.open_page()
        yield page
    finally:
        os.close(ask_write)
        process.terminate()
        process.wait()
        os.close(tell_read)
