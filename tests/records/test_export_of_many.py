"""Exports of many records: whole, in order, as lists show them, and ended with their reader."""

import asyncio
import csv
import io
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from service.store.database import Database
from service.store.records import Filter
from service.web import exporting
from tests.conftest import Api
from tests.records import reference
from tests.records.conftest import Filled

EXPORT = "/v1/records/export"


@pytest.fixture
def where(filled: Filled) -> Database:
    """The filled database, for the API of a test."""
    return filled.where


async def test_an_export_is_what_the_filter_finds(filled: Filled, api: Api) -> None:
    """Both formats have every record once, in the order asked for, over several pages."""
    wanted = Filter(state="done", ruleset="ruleset-0")
    query = {"state": "done", "ruleset": "ruleset-0", "order": "severity"}
    expected = reference.found(filled.made, wanted, "severity")
    assert len(expected) > exporting.PAGE

    for form in ("csv", "jsonl"):
        status, body, headers = await api.moderator.ask(
            "GET", EXPORT, params={**query, "format": form}
        )
        assert status == 200
        assert headers["Content-Type"].startswith(exporting.FORMATS[form])
        assert f"records.{form}" in headers["Content-Disposition"]
        assert headers["Cache-Control"] == "no-store"
        text = body.decode()
        if form == "csv":
            rows = list(csv.DictReader(io.StringIO(text)))
            assert tuple(rows[0]) == exporting.COLUMNS
            assert [row["summary"] for row in rows] == [" ".join(one.summary) for one in expected]
            assert [set(row["rules"].split()) for row in rows] == [
                set(one.worst) for one in expected
            ]
        else:
            rows = [json.loads(line) for line in text.splitlines()]
            assert [row["severity"] for row in rows] == [one.severity for one in expected]
        assert [row["id"] for row in rows] == [str(one.id) for one in expected]


async def test_a_line_of_json_is_an_item_of_a_list(api: Api) -> None:
    """What a program reads from a page it reads from an export."""
    _, page, _ = await api.moderator.ask("GET", "/v1/records?limit=200&min_severity=4")
    _, body, _ = await api.moderator.ask("GET", f"{EXPORT}?format=jsonl&min_severity=4")

    assert [json.loads(line) for line in body.splitlines()][:200] == page["items"]


async def test_a_cut_connection_ends_the_export(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """When nobody reads any more, no further page is read from the database."""
    where = urlsplit(api.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (str(where.hostname), int(where.port or 0)))
    request = (
        f"GET {EXPORT}?format=jsonl HTTP/1.1\r\nHost: a\r\n"
        f"Authorization: Bearer {api.moderator.token}\r\n\r\n"
    )
    await loop.sock_sendall(connection, request.encode())
    assert (await loop.sock_recv(connection, 1000)).startswith(b"HTTP/1.1 200")
    connection.close()

    deadline, said = time.monotonic() + 20, ""
    while "records_exported" not in said:
        assert time.monotonic() < deadline, said
        await asyncio.sleep(0.05)
        said += capsys.readouterr().err
    line = next(line for line in said.splitlines() if "records_exported" in line)
    facts = dict(part.split("=", 1) for part in line.split() if "=" in part)
    assert int(facts["sent"]) < int(facts["records"])
