"""What the build of the site changes in pages that others make (mkdocs.yml, ``hooks``)."""

from __future__ import annotations

import re
from typing import Any

OPTIONS = "command-line.md"
LAST_CELL = re.compile(r"<t([hd])>(?:(?!</t\1>).)*</t\1>\s*</tr>", re.DOTALL)


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Without the column of defaults: the help texts give them, and mkdocs-click shows click's own word where there is none."""
    return LAST_CELL.sub("</tr>", html) if page.file.src_uri == OPTIONS else html
