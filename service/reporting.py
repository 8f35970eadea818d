"""What `submit` and `up --demo` show: a table, and a folder of before and after to open."""

import asyncio
import contextlib
import html
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from service import submitting
from service.client import Client
from service.errors import WorkFailed
from service.submitting import Job

# Of a file's name, so that with what is added it stays below 255 bytes in any script.
_STEM_CHARACTERS = 50
_SUFFIX = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_PAGE = """<!doctype html><meta charset="utf-8"><title>Before and after</title>
<style>body{font:15px system-ui;margin:2rem}section{margin:2rem 0;border-top:1px solid #999}
img{max-width:46%;max-height:28rem;vertical-align:top;margin:.3%}pre{white-space:pre-wrap}</style>
<h1>Before and after</h1>
"""


def table(items: Sequence[dict[str, Any]]) -> str:
    """Lay items out in columns: picture, outcome, verdict, findings."""
    rows = [("picture", "outcome", "verdict", "findings"), *map(_row, items)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in [*widths, 8]))
    return "\n".join(line.rstrip() for line in lines)


async def submit(
    url: str,
    token: str,
    jobs: Sequence[Job],
    folder: Path | None,
    finished: Callable[[dict[str, Any]], None],
    *,
    wait: bool,
) -> tuple[list[dict[str, Any]], Path | None]:
    """Send files to the service at ``url``; give the items and the page, where one was asked."""
    if folder is not None:
        _make(folder)
    async with submitting.opened(url, token) as client:
        items = await submitting.submit(client, jobs, wait=wait, finished=finished)
        page = await save(client, jobs, items, folder) if folder else None
    return items, page


async def save(
    client: Client, jobs: Sequence[Job], items: Sequence[dict[str, Any]], folder: Path
) -> Path:
    """
    Save, for each picture, the file sent, the edited picture and the description, and one page.

    Returns:
        The page to open.
    """
    edited = await asyncio.gather(*(_edited(client, item) for item in items))
    return await asyncio.to_thread(_write, folder, list(zip(jobs, items, edited, strict=True)))


async def _edited(client: Client, item: dict[str, Any]) -> tuple[bytes, str] | None:
    shown = (item.get("images") or {}).get("edited")
    return await client.image(item["id"], "edited") if shown else None


def _write(
    folder: Path, saved: Sequence[tuple[Job, dict[str, Any], tuple[bytes, str] | None]]
) -> Path:
    _make(folder)
    sections = []
    for number, (job, item, edited) in enumerate(saved, 1):
        name = f"{number:02d}-{Path(job.shown).stem[:_STEM_CHARACTERS]}"
        shown = []
        # The file may have been unreadable all along, or moved away since.
        with contextlib.suppress(OSError):
            data = job.path.read_bytes()
            shown.append(folder / f"{name}.before{job.path.suffix[:10]}")
            shown[-1].write_bytes(data)
        if edited is not None:
            data, mime = edited
            shown.append(folder / f"{name}.after{_SUFFIX[mime]}")
            shown[-1].write_bytes(data)
        whole = json.dumps(item, indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(whole, "utf-8")
        text = json.dumps(item.get("description") or item, indent=2, ensure_ascii=False)
        pictures = "".join(f'<img src="{quote(one.name)}" alt="">' for one in shown)
        title = html.escape(" · ".join(_row(item)))
        sections.append(
            f"<section><h2>{title}</h2>{pictures}<pre>{html.escape(text)}</pre></section>\n"
        )
    page = folder / "index.html"
    page.write_text(_PAGE + "".join(sections), "utf-8")
    return page


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkFailed(f"cannot save to {folder}: {error.strerror}") from error


def _row(item: dict[str, Any]) -> tuple[str, str, str, str]:
    if "problem" in item:
        problem = item["problem"]
        return item["path"], f"refused: {problem.get('code')}", "-", str(problem.get("detail"))
    outcome = item["outcome"] or item["state"]
    return item["path"], outcome, item["verdict"], _findings(item)


def _findings(item: dict[str, Any]) -> str:
    description = item.get("description")
    if not description:
        return "-"
    counted = Counter(finding["rule"] for finding in description["findings"])
    parts = [f"{rule} x{count}" if count > 1 else rule for rule, count in counted.items()]
    if description["not_assessed"]:
        parts.append(f"not assessed: {', '.join(description['not_assessed'])}")
    if description["text_to_model"]:
        parts.append("text that addresses the model")
    return "; ".join(parts) or "none"
