"""What the environment and a TOML file can change; read once, by app.py alone."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from service.errors import StartRefused

PREFIX = "MODERATION_"
VENDOR_URL = "https://wisdom-gate.juheapi.com/v1"
VENDOR_MODEL = "gemini-3.1-flash-image-preview"
Dialect = Literal["openai-images", "gemini", "openai-chat"]
Dollars = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
TimeoutS = Annotated[float, Field(gt=0, le=600)]


class UpstreamTable(BaseModel):
    """One ``[[upstream]]`` table of the TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    url: AnyHttpUrl
    key: SecretStr | None = None
    key_env: str | None = Field(None, description="the environment variable that holds the key")
    dialect: Dialect = "openai-images"
    model: str = VENDOR_MODEL
    price_usd: Dollars | None = None
    weight: float = Field(1.0, gt=0, le=1000, description="share of the calls among upstreams")
    timeout_s: TimeoutS = 120.0
    response_format: bool = True


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
    local_processes: int = Field(
        2, ge=1, le=64, description="detector processes of the local edits endpoint"
    )
    upstream_name: str = Field(
        "default", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="its name in the ledger"
    )
    upstream_url: AnyHttpUrl | None = Field(
        None, description=f"base URL of the edits endpoint; {VENDOR_URL} where only a key is set"
    )
    upstream_key: SecretStr | None = Field(None, description="its API key")
    upstream_dialect: Dialect = Field(
        "openai-images", description="its wire protocol: openai-images, gemini, openai-chat"
    )
    upstream_model: str = Field(VENDOR_MODEL, description="model it is asked for")
    upstream_price_usd: Dollars | None = Field(
        None, description="its price of one image; the price table's if unset"
    )
    upstream_timeout_s: TimeoutS = Field(120.0, description="longest wait for one answer")
    upstream_response_format: bool = Field(
        True, description="send response_format=b64_json; GPT image models refuse it"
    )
    log: Literal["console", "json"] = Field("console", description="style of the log on stderr")
    upstream: tuple[UpstreamTable, ...] = Field(
        (), description="TOML only: several upstreams in place of the single one"
    )

    @model_validator(mode="after")
    def _upstreams_differ(self) -> "Settings":
        names = [table.name for table in self.upstream]
        if len(set(names)) < len(names):
            raise ValueError(f"upstream names must differ, not {names}")
        return self


def read(overrides: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """
    Read the settings: command line over environment over TOML file over defaults.

    Args:
        overrides: Field names to values; a None is no override.

    Raises:
        StartRefused: Unknown names and values that are not allowed, all of them, each named.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and value != ""
    }
    from_file = _read_file(Path(given["config"])) if "config" in given else {}
    values = {
        **from_file,
        **given,
        **{name: value for name, value in overrides.items() if value is not None},
    }
    unknown = sorted(values.keys() - Settings.model_fields.keys())
    if unknown:
        raise StartRefused("; ".join(_unknown(name) for name in unknown))
    if "upstream" in given:
        raise StartRefused(
            f"{PREFIX}UPSTREAM cannot be set here; use [[upstream]] in the TOML file"
        )
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise StartRefused("; ".join(_fault(fault) for fault in error.errors())) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StartRefused(f"{PREFIX}CONFIG={path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"{PREFIX}CONFIG={path}: {error}") from error
    return {name.upper().removeprefix(PREFIX).lower(): value for name, value in table.items()}


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""
    return f"{PREFIX}{name.upper()} is not a setting{hint}"


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    value = f"={fault['input']}" if place and not _may_be_secret(place, fault) else ""
    return f"{PREFIX}{place.upper()}{value}: {fault['msg']}"


def _may_be_secret(place: str, fault: Any) -> bool:
    """Tell whether the value could be or hold a secret: whole tables, misspelt names, userinfo."""
    return (
        any(word in place for word in ("key", "token", "database_url"))
        or fault["type"] in ("missing", "extra_forbidden")
        or not isinstance(fault["input"], str | int | float)
        or "@" in str(fault["input"])
    )
