"""What an upstream can be configured with, and the upstream that follows from it."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from service import prices
from service.edits import Upstream, gemini
from service.errors import StartRefused

PREFIX = "MODERATION_UPSTREAM_"
VENDOR_URL = "https://wisdom-gate.juheapi.com/v1"
VENDOR_MODEL = "gemini-3.1-flash-image-preview"
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
MIB = 1024 * 1024


def _listed(value: object) -> object:
    """Split what the environment can only hold as one text."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def _host(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", value.lower()):
        raise ValueError("Input should be the name of a host, such as images.example.org")
    return value.lower()


Dialect = Literal["openai-images", "gemini", "openai-chat"]
Repair = Literal["off", "edit", "openai-chat", "claude-messages"]
Name = Annotated[str, Field(pattern=NAME)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], BeforeValidator(_listed)]
Dollars = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
TimeoutS = Annotated[float, Field(gt=0, le=600)]
Count = Annotated[int, Field(ge=1)]


class UpstreamTable(BaseModel):
    """One ``[[upstream]]`` table of the TOML file: every option that an upstream has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="its name in the ledger; `default` for the single one")
    url: AnyHttpUrl = Field(
        description=f"base URL; {VENDOR_URL} for the single one where only a key is set"
    )
    key: SecretStr | None = Field(None, description="its API key")
    key_env: str | None = Field(
        None, description="environment variable that holds the key, in place of `key`"
    )
    dialect: Dialect = Field(
        "openai-images", description="its wire protocol: openai-images, gemini, openai-chat"
    )
    model: str = Field(VENDOR_MODEL, min_length=1, description="model it is asked for")
    price_usd: Dollars | None = Field(
        None, description="its price of one image; the price table's if unset"
    )
    weight: float = Field(
        1.0, ge=0, le=1000, description="its share of the images; one of 0 only stands in"
    )
    response_format: bool = Field(
        True, description="send response_format=b64_json; GPT image models refuse it"
    )
    timeout_s: TimeoutS = Field(120.0, description="longest wait for one whole answer")
    connect_timeout_s: float = Field(10.0, gt=0, le=60, description="longest wait for a connection")
    read_timeout_s: TimeoutS | None = Field(
        None, description="longest silence within an answer; at most `timeout_s`"
    )
    max_answer_mb: int = Field(64, ge=1, le=256, description="largest answer, MiB")
    answer_hosts: Hosts = Field(
        (),
        description="hosts that may serve its images beside its own; "
        "a list, or separated by commas in the environment",
    )
    max_in_flight: Count | None = Field(None, description="most calls at once, of all workers")
    requests_per_minute: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="most calls a minute, of all workers"
    )
    max_prompt_chars: Count | None = Field(None, description="longest prompt it takes, characters")
    context_tokens: Count | None = Field(
        None, description="context of its model, which prompt and picture must fit"
    )
    repair_model: str | None = Field(
        None, min_length=1, description="model asked for a description alone; `model` if unset"
    )
    repair_price_usd: Dollars | None = Field(
        None, description="upper bound of its price; that of an image if unset"
    )
    repair: Repair | None = Field(
        None,
        description="how a missing or wrong description is asked for again: off, edit (one more "
        "edit), openai-chat or claude-messages (the description alone); openai-chat where that "
        "is the dialect, else edit",
    )

    @field_validator("read_timeout_s")
    @classmethod
    def _ends_within_the_whole(cls, value: float | None, info: ValidationInfo) -> float | None:
        whole = info.data.get("timeout_s")
        if value is not None and whole is not None and value > whole:
            raise ValueError(f"Input should be at most timeout_s, which is {whole:g}")
        return value

    @field_validator("repair")
    @classmethod
    def _has_a_model(cls, value: Repair | None, info: ValidationInfo) -> Repair | None:
        # No model that edits pictures speaks this protocol.
        if value == "claude-messages" and info.data.get("repair_model") is None:
            raise ValueError("needs repair_model, the model that describes")
        return value

    def place(self, option: str) -> str:
        """Spell an option as the operator finds it."""
        return f"[[upstream]] {self.name}: {option}"


class SingleUpstream(UpstreamTable):
    """The upstream of the environment, in place of tables: there is no other to stand in for."""

    name: Name = "default"
    url: AnyHttpUrl = AnyHttpUrl(VENDOR_URL)
    weight: float = Field(1.0, gt=0, le=1000)

    def place(self, option: str) -> str:
        """Spell an option as the operator finds it."""
        return f"{PREFIX}{option.upper()}"


def upstream_of(table: UpstreamTable, environ: Mapping[str, str]) -> Upstream:
    """
    Build the upstream that a table describes.

    Raises:
        StartRefused: Its key is missing or fits no header, or nobody knows its price.
    """
    repair = table.repair or ("openai-chat" if table.dialect == "openai-chat" else "edit")
    price_microusd, price_version = prices.of(
        table.model, table.price_usd, table.place("price_usd")
    )
    upstream = Upstream(
        name=table.name,
        url=str(table.url),
        key=_key(table, environ),
        dialect=table.dialect,
        model=table.model,
        price_microusd=price_microusd,
        price_version=price_version,
        weight=table.weight,
        timeout_s=table.timeout_s,
        response_format=table.response_format,
        connect_timeout_s=table.connect_timeout_s,
        read_timeout_s=table.read_timeout_s,
        max_answer_bytes=table.max_answer_mb * MIB,
        answer_hosts=table.answer_hosts,
        max_in_flight=table.max_in_flight,
        requests_per_minute=table.requests_per_minute,
        max_prompt_chars=table.max_prompt_chars,
        context_tokens=table.context_tokens,
        repairs=repair != "off",
    )
    if repair in ("off", "edit"):
        return upstream
    return dataclasses.replace(upstream, describer=_describer(table, upstream, repair))


def _describer(table: UpstreamTable, upstream: Upstream, dialect: str) -> Upstream:
    model = table.repair_model or upstream.model
    price = upstream.price_microusd, upstream.price_version
    if table.repair_price_usd is not None:
        price = prices.of(model, table.repair_price_usd, table.place("repair_price_usd"))
    return dataclasses.replace(
        upstream,
        url=gemini.openai_url(upstream.url) if upstream.dialect == "gemini" else upstream.url,
        dialect=dialect,
        model=model,
        price_microusd=price[0],
        price_version=price[1],
    )


def _key(table: UpstreamTable, environ: Mapping[str, str]) -> str | None:
    if table.key_env is not None:
        option, key = "key_env", environ.get(table.key_env)
        if not key:
            # Its name is not told: who confuses it with `key` writes the key itself there.
            raise StartRefused(f"{table.place(option)} names a variable that is not set")
    else:
        option, key = "key", table.key.get_secret_value() if table.key else None
    if key is not None and not (key.isascii() and key.isprintable()):
        # It travels in a header, which every single call would fail to build.
        raise StartRefused(
            f"{table.place(option)} holds a line break or another sign that fits no header"
        )
    return key
