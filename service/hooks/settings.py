"""What a platform keeps for its hooks: how its senders prove themselves, and where things stand."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
    WithJsonSchema,
    model_validator,
)

from service import standard_webhooks
from service.hooks.reading import POINTER

WINDOW_S = 300
REVEALED = {"reveal": True}  # Context of a dump that is to be stored: others show asterisks.


def _pointer(value: str) -> str:
    if not re.fullmatch(POINTER, value):
        raise ValueError("Input should be a JSON Pointer (RFC 6901) such as /photo/url")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    standard_webhooks.key_of(value.get_secret_value())
    return value


def _dumped(value: SecretStr, info: SerializationInfo) -> str:
    return value.get_secret_value() if info.context == REVEALED else str(value)


Pointer = Annotated[str, Field(max_length=500), AfterValidator(_pointer)]
# What is shown is text of another length, and pydantic would call it never shown.
_SHOWN = WithJsonSchema({"type": "string", "description": "asterisks"}, mode="serialization")
Hidden = Annotated[SecretStr, PlainSerializer(_dumped, return_type=str, when_used="json"), _SHOWN]
Secret = Annotated[Hidden, Field(min_length=16, max_length=500)]
# Two, so that a secret can be changed while senders still use the old one.
Secrets = Annotated[tuple[Secret, ...], Field(min_length=1, max_length=2)]
WebhookSecret = Annotated[Secret, AfterValidator(_webhook_secret)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,80}$")]


class Model(BaseModel):
    """Settings that are kept: nothing unknown in them, and no error that shows a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Bearer(Model):
    """``Authorization: Bearer SECRET``, as MinIO, SeaweedFS and most senders can."""

    kind: Literal["bearer"]
    secrets: Secrets


class Basic(Model):
    """``Authorization: Basic``: a name and a password."""

    kind: Literal["basic"]
    username: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^:]*$")]
    secrets: Secrets


class SecretPath(Model):
    """A secret as the last part of the path, for senders that can be given nothing but a URL."""

    kind: Literal["path"]
    secrets: Secrets


class Hmac(Model):
    """
    ``sha256=`` and the hexadecimal HMAC-SHA256 of the body.

    Where the sender tells a time in a header of its own, what is signed is that time, a full stop
    and the body.
    """

    kind: Literal["hmac"]
    secrets: Secrets
    header: HeaderName = Field("X-Hub-Signature-256", description="header of the signature")
    timestamp_header: HeaderName | None = Field(
        None, description="header of the time it was signed, seconds since 1970"
    )


class StandardWebhooks(Model):
    """The signature of Standard Webhooks 1.0, symmetric (v1)."""

    kind: Literal["standard-webhooks"]
    secrets: Annotated[tuple[WebhookSecret, ...], Field(min_length=1, max_length=2)]


Authentication = Annotated[
    Bearer | Basic | SecretPath | Hmac | StandardWebhooks, Field(discriminator="kind")
]


class Places(Model):
    """
    Where things stand in a sender's JSON; the defaults are those of our own uploads.

    The image is exactly one of ``image_url``, ``image``, and ``bucket`` with ``key``.
    """

    image_url: Pointer = Field("/image_url", description="address of the image")
    image: Pointer = Field("/image", description="the image's bytes in base64")
    bucket: Pointer | None = Field(None, description="bucket of the image, where it is stored")
    key: Pointer | None = Field(None, description="key of the image in its bucket, not encoded")
    external_id: Pointer = Field("/external_id", description="the platform's own id")
    event_id: Pointer | None = Field(
        None, description="what is the same whenever one upload is told of again"
    )
    metadata: Pointer = Field("/metadata", description="an object that is kept with the upload")

    @model_validator(mode="after")
    def _stored(self) -> Self:
        if (self.bucket is None) != (self.key is None):
            raise ValueError("bucket and key stand together")
        return self


class ListedPlaces(Places):
    """The same for a message that may be about several uploads."""

    items: Pointer | None = Field(
        None, description="list of uploads, which the others start from; none if there is only one"
    )


class HookSettings(Model):
    """
    What a platform keeps for its hooks.

    Secrets are shown as asterisks; ``model_dump(mode="json", context=REVEALED)`` is for the store.
    """

    authentication: Annotated[tuple[Authentication, ...], Field(max_length=10)] = Field(
        (), description="ways to prove oneself, of which one is enough; without any none is"
    )
    generic: ListedPlaces = Field(
        ListedPlaces(), description="where things stand in messages to `generic`"
    )
    cloudevents: Places = Field(
        Places(), description="where things stand in the JSON data of a CloudEvent"
    )
    cloudevents_types: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="types of CloudEvents that tell of uploads; all if empty"
    )
    tus_url: AnyHttpUrl | None = Field(
        None, description="address of tusd's uploads, where they are in no S3-compatible store"
    )
