"""What tests of pages share."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from base64 import b64encode
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """The text of a page, its tags, and every address in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        self.text = ""
        self.inside = ""
        self.raw = path.read_text("utf-8")
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside = tag
        self.scripts += tag == "script" and ("type", "application/json") not in attrs
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset", "xlink:href")]

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.text += data.replace("\u00a0", " ")


SAY = 'const say = (name, value) => document.body.setAttribute("data-" + name, JSON.stringify(value));'


def said(dom: str, name: str) -> Any:
    """What a script said by ``say``."""
    found = re.search(f'data-{name}="([^"]*)"', dom)
    assert found, f"the script did not get to {name}"
    return json.loads(unescape(found[1]))


def hash_of(script: str) -> str:
    """By which a page's policy allows a script."""
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def in_browser(page: Path, tmp_path: Path, script: str = "", *, width: int = 1200, dark: bool = False) -> tuple[str, str]:
    """The page's DOM after a while, and what the browser complained of; a ``script`` may act as a user would, and ``say`` what it sees."""
    text = page.read_text("utf-8")
    copy = tmp_path / "page.html"
    if script:
        acting = f"{{{SAY}{script}}}"
        text = text.replace("script-src ", f"script-src '{hash_of(acting)}' ", 1).replace("</body>", f"<script>{acting}</script></body>")
    copy.write_text(text, "utf-8")
    assert BROWSER is not None
    ran = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--log-net-log={tmp_path / 'net.json'}", "--virtual-time-budget=4000", f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return ran.stdout, "\n".join(line for line in ran.stderr.splitlines() if "CONSOLE" in line)
