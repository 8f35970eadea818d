"""Commands for policy work: rulesets and their versions, what is sent by them and what changed."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from service import catalogue, publishing, quoting
from service.administering import ACTOR
from service.commands import DATA_DIR, connected
from service.commands.versions import (
    AS_JSON,
    VERSION,
    Reference,
    live,
    newest,
    offers,
    reference,
    windows,
)
from service.errors import WorkFailed
from service.loading import Elsewhere, LazyGroup
from service.policy import diffing, format_schema
from service.prices import MICRO
from service.publishing import Source
from service.store import Conn


@click.group("rulesets", cls=LazyGroup)
def rulesets_group() -> None:
    """
    Write, check, publish and roll back rulesets.

    In the database of MODERATION_DATABASE_URL, else in that of a running `up`.

    \b
    Examples:
      moderation rulesets check rulesets/
      moderation rulesets import rulesets/ --draft
      moderation rulesets diff privacy
      moderation rulesets publish privacy
      moderation rulesets rollback privacy --reason 'holds too much'
    """


for name, place, short_help in (
    ("publish", "releases:rulesets_publish", "Make a version live."),
    ("rollback", "releases:rulesets_rollback", "Make a version live that was live before."),
    ("test", "trying:rulesets_test", "Run a version's golden examples."),
):
    rulesets_group.add_command(Elsewhere(name, place, short_help))


@rulesets_group.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@AS_JSON
def rulesets_check(files: tuple[Path, ...], *, as_json: bool) -> None:
    """
    Check ruleset files, offline and free.

    Every fault is told with its line and column, and where a ruleset is too long for an upstream.

    \b
    Examples:
      moderation rulesets check rulesets/
      moderation rulesets check rulesets/privacy.yaml --json
    """
    good: list[dict[str, object]] = []
    for source in _read(files):
        size = publishing.check(source.ruleset, windows(source.ruleset.model))
        rules = len(source.ruleset.rules)
        facts = {"rules": rules, "chars": size.chars, "tokens": size.tokens}
        good.append({"file": str(source.path), "name": source.ruleset.name, **facts})
        if not as_json:
            click.echo(
                f"{source.path}: good; {rules} rules, prompt of {size.chars} characters,"
                f" about {size.tokens} tokens"
            )
    if as_json:
        click.echo(json.dumps({"items": good}, indent=2))


@rulesets_group.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--draft", is_flag=True, help="Make versions only; what is live stays.")
@AS_JSON
@DATA_DIR
def rulesets_import(folder: Path, data_dir: Path | None, *, draft: bool, as_json: bool) -> None:
    """
    Make a folder's rulesets live, each as a version.

    The same content twice is one version.  If one of them is refused, none goes live.

    \b
    Examples:
      moderation rulesets import rulesets/
      moderation rulesets import rulesets/ --draft
      moderation rulesets import privacy.yaml --json
    """
    sources = _read([folder])
    for source in sources:
        publishing.check(source.ruleset, windows(source.ruleset.model))
    taken = connected(
        data_dir, lambda conn: publishing.take(conn, sources, ACTOR, windows, draft=draft)
    )
    if as_json:
        items = [{"name": one.name, "version": one.version, "new": one.new} for one in taken]
        click.echo(json.dumps({"items": items}, indent=2))
        return
    for one in taken:
        said = {(True, True): "is a new draft", (True, False): "is a version already"}.get(
            (draft, one.new), "is new and live" if one.new else "is live"
        )
        click.echo(f"{one.name}/{one.version} {said}")


@rulesets_group.command("list")
@AS_JSON
@DATA_DIR
def rulesets_list(data_dir: Path | None, *, as_json: bool) -> None:
    """
    List rulesets with their live versions.

    \b
    Examples:
      moderation rulesets list
      moderation rulesets list --json
    """
    items = connected(data_dir, catalogue.listed)
    if as_json:
        click.echo(json.dumps({"items": [one.model_dump() for one in items]}, indent=2))
        return
    for one in items:
        live = f"{one.name}/{one.live_version}" if one.live_version else f"{one.name} (not live)"
        drafts = f"  ({one.states.draft} drafts)" if one.states.draft else ""
        click.echo(f"{live}  {one.title}{drafts}")


@rulesets_group.command("show")
@VERSION
@AS_JSON
@DATA_DIR
def rulesets_show(version: Reference, data_dir: Path | None, *, as_json: bool) -> None:
    """
    Print a version as it was written.

    Of a NAME alone the live version, else the newest.  --json has all about it: content, state,
    author, releases.

    \b
    Examples:
      moderation rulesets show privacy > privacy.yaml
      moderation rulesets show privacy@3 --json
    """

    async def read(conn: Conn) -> catalogue.VersionView:
        return await catalogue.version(conn, version.name, await live(conn, version))

    found = connected(data_dir, read)
    click.echo(found.model_dump_json(indent=2) if as_json else found.source.encode(), nl=as_json)


@rulesets_group.command("prompt")
@VERSION
@AS_JSON
@DATA_DIR
def rulesets_prompt(version: Reference, data_dir: Path | None, *, as_json: bool) -> None:
    """
    Print the whole prompt of a version.

    Byte for byte what is sent with each picture; there is no other text.  Of a NAME alone the live
    version, else the newest.  What it takes of each upstream and what images cost goes to stderr.

    \b
    Examples:
      moderation rulesets prompt privacy@3
      moderation rulesets prompt privacy --json
    """

    async def read(conn: Conn) -> quoting.PromptView:
        row = await catalogue.find(conn, version.name, await live(conn, version))
        model = row["content"].get("model")
        return quoting.show(row["prompt"], row["prompt_sha256"], offers(), model)

    found = connected(data_dir, read)
    click.echo(found.model_dump_json(indent=2) if as_json else found.prompt.encode(), nl=as_json)
    if not as_json:
        click.echo(f"{found.chars} characters, about {found.tokens} tokens", err=True)
        for one in found.upstreams:
            click.echo(_judging(one), err=True)


@rulesets_group.command("schema")
@click.argument("version", metavar="[NAME[@VERSION]]", required=False, callback=reference)
@DATA_DIR
def rulesets_schema(version: Reference | None, data_dir: Path | None) -> None:
    """
    Print the JSON schema of ruleset files.

    With a NAME, the schema that descriptions by its live version, or the one named, must fit.

    \b
    Examples:
      moderation rulesets schema > ruleset.schema.json
      moderation rulesets schema privacy@3
    """
    if version is None:
        click.echo(format_schema.text(), nl=False)
        return

    async def read(conn: Conn) -> object:
        return (await catalogue.find(conn, version.name, await live(conn, version)))["schema"]

    click.echo(json.dumps(connected(data_dir, read), indent=2))


@rulesets_group.command("diff")
@VERSION
@click.option(
    "--from", "old", type=click.IntRange(1, 999_999_999), help="Version before; else the live one."
)
@AS_JSON
@DATA_DIR
def rulesets_diff(
    version: Reference, old: int | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """
    Tell what a version changes.

    Of a NAME alone the newest version, compared with the live one.

    \b
    Examples:
      moderation rulesets diff privacy
      moderation rulesets diff privacy@4 --from 2 --json
    """

    async def read(conn: Conn) -> diffing.Diff:
        before = old or (await catalogue.ruleset(conn, version.name)).live_version
        if before is None:
            raise WorkFailed(f"no version of {version.name} is live; name one with --from")
        return await catalogue.diff(conn, version.name, before, await newest(conn, version))

    found = connected(data_dir, read)
    click.echo(found.model_dump_json(indent=2) if as_json else diffing.text(found), nl=as_json)


def _read(paths: Sequence[Path]) -> list[Source]:
    """Read ruleset files; say on stderr which pictures of golden examples are not beside them."""
    sources = publishing.read(paths)
    for source in sources:
        for path in source.missing:
            click.echo(f"{source.path}: the picture {path} of an example is not there", err=True)
    return sources


def _judging(one: quoting.Judging) -> str:
    share = "" if one.context_share is None else f", {one.context_share:.1%} of its context"
    price = (
        "its price is not known"
        if one.price_microusd is None
        else "; ".join(
            f"${month.microusd // MICRO:,} for {month.images:,} images"
            for month in one.monthly
            if month.microusd is not None
        )
    )
    return f"{one.upstream} ({one.model}){share}: {price}"
