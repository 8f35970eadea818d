"""What the environment and a TOML file can change; read once, by the composition root alone."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from service import upstreams
from service.errors import StartRefused
from service.upstreams import SingleUpstream, UpstreamTable

PREFIX = "MODERATION_"
UPSTREAM = "upstream_"
# How the names end of settings whose values are never shown.
SECRETS = ("key", "key_env", "token", "database_url")
Model = TypeVar("Model", bound=BaseModel)


class Settings(BaseModel):
    """Every setting; its name in the environment is MODERATION_ and the field in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Path | None = Field(None, description="TOML file with these names and [[upstream]]")
    database_url: SecretStr | None = Field(
        None, description="any PostgreSQL >= 15; without it `up` starts its own"
    )
    owner_database_url: SecretStr | None = Field(
        None, description="login that owns the tables, where it is not that of DATABASE_URL"
    )
    pooler: Literal["none", "transaction"] = Field(
        "none", description="what pools connections between us and DATABASE_URL, as PgBouncer does"
    )
    data_dir: Path = Field(
        Path("moderation-data"), description="embedded database, tokens.json, demo pictures"
    )
    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8080, ge=0, le=65535, description="port the API listens on; 0 takes any")
    public_url: AnyHttpUrl | None = Field(
        None, description="address others reach the API by, for links; from host and port if unset"
    )
    token: SecretStr | None = Field(None, description="bearer token that `submit` sends")
    ruleset: str = Field("privacy", description="ruleset of uploads that name none")
    workers: int = Field(1, ge=1, le=64, description="worker processes that `up` runs")
    concurrency: int = Field(16, ge=1, le=1000, description="calls in flight per worker process")
    decoders: int = Field(2, ge=1, le=64, description="decoding processes per worker process")
    lease_s: float = Field(30.0, ge=2, le=60, description="lease of an upload being worked on")
    grace_s: float = Field(20.0, ge=0, le=600, description="time to finish work after SIGTERM")
    second_look: int | None = Field(
        None,
        ge=0,
        le=64,
        description="detector processes per worker process that look at pictures once more;"
        " if unset 1 where the `local` extra is installed, and none behind the local endpoint",
    )
    keep_raw: bool = Field(
        False, description="keep each edit as the upstream gave it, beside the final picture"
    )
    local_processes: int = Field(
        2, ge=1, le=64, description="detector processes of the local edits endpoint"
    )
    log: Literal["console", "json"] = Field("console", description="style of the log on stderr")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="port of HOST at which `work` and `deliver` show their /metrics; 0 takes any,"
        " and so does a process that finds it taken; nowhere if unset",
    )
    undo_s: float = Field(
        10.0, ge=0, le=3600, description="time in which a decision can be undone before it is told"
    )
    callback_hosts: tuple[str, ...] = Field(
        (), description="hosts, comma between, that may be called back on private networks"
    )
    fetch_hosts: tuple[str, ...] = Field(
        (), description="hosts, comma between, that images may be fetched from on private networks"
    )
    retention_days: float | None = Field(
        None,
        gt=0,
        le=36500,
        description="days after which what is allowed or was blocked is deleted; for ever if unset",
    )
    retention_allowed_days: float | None = Field(
        None,
        gt=0,
        le=36500,
        description="the same for those that are allowed, in place of RETENTION_DAYS",
    )
    retention_waiting_days: float | None = Field(
        None,
        gt=0,
        le=36500,
        description="the same for those that wait for a person; until they are decided if unset",
    )
    max_backlog: int = Field(
        100_000, ge=1, description="unfinished uploads in all; then more are refused with 503"
    )
    max_database_gb: float | None = Field(
        None,
        gt=0,
        description="size of the database from which on uploads are refused with 503; unbounded"
        " if unset",
    )
    upstream: tuple[UpstreamTable, ...] = Field(
        (), description="TOML only: several upstreams in place of the single one"
    )

    @field_validator("callback_hosts", "fetch_hosts", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, list | tuple):
            return names
        return tuple(name.strip().lower() if isinstance(name, str) else name for name in names)

    @field_validator("upstream")
    @classmethod
    def _can_share(cls, tables: tuple[UpstreamTable, ...]) -> tuple[UpstreamTable, ...]:
        names = [table.name for table in tables]
        if len(set(names)) < len(names):
            raise ValueError(f"upstream names must differ, not {names}")
        if tables and not any(table.weight for table in tables):
            raise ValueError(f"one of {names} needs a weight above 0; others then may stand in")
        return tables

    @property
    def has_tables(self) -> bool:
        """Tell whether the upstreams are tables of the file."""
        return any(not isinstance(table, SingleUpstream) for table in self.upstream)


def read(overrides: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """
    Read the settings: command line over environment over TOML file over defaults.

    Args:
        overrides: Names to values, ``upstream_`` names too; a None is no override.

    Returns:
        Where the file has no tables, ``upstream`` holds the single one if that has a url or a key.

    Raises:
        StartRefused: Unknown names and values that are not allowed, all of them, each named.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and value != ""
    }
    if "upstream" in given:
        raise StartRefused(
            f"{PREFIX}UPSTREAM cannot be set here; use [[upstream]] in the TOML file"
        )
    values = {
        **(_read_file(Path(given["config"])) if "config" in given else {}),
        **given,
        **{name: value for name, value in overrides.items() if value is not None},
    }
    options = {
        name.removeprefix(UPSTREAM): values.pop(name)
        for name in list(values)
        if name.startswith(UPSTREAM)
    }
    faults: list[str] = []
    single = _checked(SingleUpstream, options, faults)
    if single and options.keys() & {"url", "key", "key_env"} and values.get("upstream", []) == []:
        values["upstream"] = (single,)
    configured = _checked(Settings, values, faults)
    if configured is None or faults:
        raise StartRefused("; ".join(faults))
    return configured


def _read_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StartRefused(f"{PREFIX}CONFIG={path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"{PREFIX}CONFIG={path}: {error}") from error
    return {name.upper().removeprefix(PREFIX).lower(): value for name, value in table.items()}


def _checked(model: type[Model], values: Mapping[str, Any], faults: list[str]) -> Model | None:
    """Validate; each thing that is wrong is added to the faults."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            first, *rest = fault["loc"]
            loc = (f"{UPSTREAM}{first}", *rest) if model is SingleUpstream else fault["loc"]
            faults.append(_fault(fault, loc, values))
        return None


def _fault(fault: Any, loc: tuple[int | str, ...], values: Mapping[str, Any]) -> str:
    """Tell what is wrong with a setting, by the name that the operator finds it by."""
    if loc[0] == "upstream":
        table = "".join(_label(values["upstream"], int(number)) for number in loc[1:2])
        option = ".".join(str(part) for part in loc[2:])
        place = f"[[upstream]]{table}{': ' if option else ''}{option}"
    else:
        place = f"{PREFIX}{'.'.join(str(part) for part in loc).upper()}"
    if fault["type"] == "extra_forbidden":
        return f"{place} is not a setting{_hint(loc)}"
    value = "" if _may_be_secret(loc, fault) else f"={fault['input']}"
    return f"{place}{value}: {fault['msg'].removeprefix('Value error, ')}"


def _label(tables: Any, number: int) -> str:
    """Name a table by its name, or by its number where it has none that could be shown."""
    name = tables[number].get("name") if isinstance(tables[number], dict) else None
    shown = isinstance(name, str) and re.fullmatch(upstreams.NAME, name)
    return f" {name}" if shown else f" number {number + 1}"


def _hint(loc: tuple[int | str, ...]) -> str:
    """Give the nearest valid name."""
    in_table = loc[0] == "upstream"
    allowed = [f"{UPSTREAM}{option}" for option in UpstreamTable.model_fields]
    if not in_table:
        allowed += Settings.model_fields
    # Compared with its prefix, a misspelt option always has a nearest one.
    name = f"{UPSTREAM}{loc[-1]}" if in_table else str(loc[0])
    for close in difflib.get_close_matches(name.lower(), allowed, n=1):
        spelt = close.removeprefix(UPSTREAM) if in_table else f"{PREFIX}{close}".upper()
        return f"; did you mean {spelt}?"
    return ""


def _may_be_secret(loc: tuple[int | str, ...], fault: Any) -> bool:
    """Tell whether the value could be or hold a secret: of a table, or in an address."""
    return (
        any(str(part).endswith(SECRETS) for part in loc)
        or (loc[0] == "upstream" and len(loc) < 3)
        or fault["type"] == "missing"
        or not isinstance(fault["input"], str | int | float)
        or any(sign in str(fault["input"]) for sign in "@?")
    )
