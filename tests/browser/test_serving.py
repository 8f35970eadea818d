"""The console's files: what they may do in a browser, and that every state has an address."""

import re

import pytest

from service.web import console
from tests.conftest import Api

FILES = console.read()
SCRIPTS = {name: file.data.decode() for name, file in FILES.items() if name.endswith(".js")}
# Whatever reads text as markup or as code.
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextual"
    r"|\beval\b|new Function|javascript:|srcdoc|\bon[a-z]+=\""
)
STATES = (
    *("", "queue/held", "case/0199a1b2-0000-7000-8000-000000000000", "records", "dashboard"),
    *("rulesets", "rulesets/privacy/1", "anything/else"),
)


async def test_the_policy_lets_nothing_in_from_elsewhere_or_inline(api: Api) -> None:
    """Each answer has the policy, which has no unsafe-* and names no host but our own."""
    for path in (*STATES, "js/main.js", "css/base.css", "icon.svg"):
        status, _, headers = await api.platform.ask("GET", f"/console/{path}")
        policy = headers["Content-Security-Policy"]
        assert (path, status) == (path, 200)
        assert [one for one in ("unsafe", "http", "*") if one in policy] == []
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


async def test_every_state_is_answered_by_the_one_page(api: Api) -> None:
    """Whoever opens a link to a state gets the page, without a token."""
    found = {(await api.platform.ask("GET", f"/console/{path}"))[1] for path in STATES}

    assert found == {FILES["index.html"].data}


async def test_a_file_that_is_not_there_is_not_found(api: Api) -> None:
    """A missing script is no page, and nothing outside of the folder is served."""
    for path in ("js/missing.js", "..%2fconsole.py", "js/..%2f..%2fconsole.py", "index.html.bak"):
        status, problem, _ = await api.platform.ask("GET", f"/console/{path}")
        assert (status, problem["code"]) == (404, "not_found")


async def test_a_file_is_sent_again_only_if_it_changed(api: Api) -> None:
    """An entity tag is answered by 304 without a body, and another one by the file."""
    status, body, headers = await api.platform.ask("GET", "/console/js/main.js")
    again, nothing, _ = await api.platform.ask(
        "GET", "/console/js/main.js", headers={"If-None-Match": headers["ETag"]}
    )
    other, whole, _ = await api.platform.ask(
        "GET", "/console/js/main.js", headers={"If-None-Match": '"another"'}
    )

    assert (status, again, other) == (200, 304, 200)
    assert (nothing, whole) == (b"", body)


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_reads_text_as_markup(name: str) -> None:
    """No script has a way to make elements from text, or to run text."""
    assert MARKUP.search(SCRIPTS[name]) is None


def test_the_page_has_nothing_inline() -> None:
    """Scripts and styles of the page are files of ours."""
    page = FILES["index.html"].data.decode()

    assert re.findall(r"<script(?![^>]*src=\"/console/)", page) == []
    assert "<style" not in page
    assert "style=" not in page
    assert MARKUP.search(page) is None


def test_every_module_is_fetched_at_once() -> None:
    """The page names each module, so that none waits until another one has been read."""
    page = FILES["index.html"].data.decode()

    preloaded = re.findall(r"<link rel=\"modulepreload\" href=\"/console/([^\"]+)\">", page)
    assert sorted([*preloaded, "js/main.js"]) == sorted(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_import_is_a_file_that_is_served(name: str) -> None:
    """A module imports only modules of the console."""
    for found in re.findall(r"(?:from|import) \"([^\"]+)\"", SCRIPTS[name]):
        path = (console.FOLDER / name).parent / found
        assert path.resolve().relative_to(console.FOLDER).as_posix() in FILES


def test_the_files_stay_small() -> None:
    """No file of the console has more than 300 lines."""
    assert [name for name, file in FILES.items() if file.data.count(b"\n") > 300] == []
