"""What a ruleset would come to, told while it is being written."""

from typing import Any

from tests.conftest import Api
from tests.rulesets import YAML


async def preview(api: Api, name: str, source: str) -> dict[str, Any]:
    """Ask what a source would come to."""
    path = f"/v1/rulesets/{name}/preview"
    status, found, _ = await api.policy.ask("POST", path, data=source, headers=YAML)
    assert status == 200, found
    told: dict[str, Any] = found
    return told


async def source_of(api: Api, name: str) -> str:
    """Give the text of the first version."""
    _, found, _ = await api.policy.ask("GET", f"/v1/rulesets/{name}/versions/1")
    return str(found["source"])


async def test_a_preview_tells_what_the_draft_would(api: Api) -> None:
    """Size and changes are those that the version has once it is kept; nothing is kept before."""
    changed = (await source_of(api, "privacy")).replace("severity: medium", "severity: high", 1)
    told = await preview(api, "privacy", changed)
    _, before, _ = await api.policy.ask("GET", "/v1/rulesets/privacy")
    path = "/v1/rulesets/privacy/versions"
    status, _, _ = await api.policy.ask("POST", path, data=changed, headers=YAML)
    _, prompt, _ = await api.policy.ask("GET", f"{path}/2/prompt")
    _, diff, _ = await api.policy.ask("GET", f"{path}/2/diff?from=1")

    assert (before["newest_version"], status) == (1, 201)
    assert (told["faults"], told["diff"]) == ([], diff)
    assert (told["chars"], told["tokens"]) == (prompt["chars"], prompt["tokens"])
    assert told["upstreams"] == prompt["upstreams"]


async def test_a_preview_tells_the_faults_that_a_draft_is_refused_for(api: Api) -> None:
    """Each has its place; those that follow from earlier versions are among them."""
    source = await source_of(api, "privacy")
    for wrong in (
        source.replace("severity: medium", "severity: mediocre"),
        source.replace("name: privacy", "name: another"),
        source.replace("A recognisable face of a real person is hidden", "Guns are hidden"),
        "rules: [",
        "\x00",
    ):
        told = await preview(api, "privacy", wrong)
        path = "/v1/rulesets/privacy/versions"
        status, refused, _ = await api.policy.ask("POST", path, data=wrong, headers=YAML)
        assert (told["faults"] == []) == (status != 422)
        assert told["faults"] == refused.get("errors", [])
        assert told["faults"] == [] or told["diff"] is None


async def test_a_new_ruleset_has_nothing_to_differ_from(api: Api) -> None:
    """The name need not be known, and does not become so."""
    source = (await source_of(api, "privacy")).replace("name: privacy", "name: another")
    told = await preview(api, "another", source)
    status, _, _ = await api.policy.ask("GET", "/v1/rulesets/another")

    assert (told["faults"], told["diff"], status) == ([], None, 404)


async def test_only_policy_staff_may_ask(api: Api) -> None:
    """Other roles are refused, and so is what is neither YAML nor JSON."""
    path = "/v1/rulesets/privacy/preview"
    for caller in (api.moderator, api.platform, api.admin):
        status, problem, _ = await caller.ask("POST", path, data="a", headers=YAML)
        assert (status, problem["code"]) == (403, "role_not_allowed")
    status, problem, _ = await api.policy.ask(
        "POST", path, data="a", headers={"Content-Type": "text/plain"}
    )
    assert (status, problem["code"]) == (415, "content_type_not_supported")
