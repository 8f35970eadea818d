"""What a platform keeps for fetching its images: which hosts, and the keys of its stores."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, model_validator

from service.hooks.settings import Hidden, Model

# A name, or every name below one; a literal address is its own exact name.
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:]*:[0-9a-f:.]*")


def _host(value: str) -> str:
    name = value.lower()
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise ValueError("Input should be a host such as cdn.example.org or *.example.org")
    return name


def _secret(value: SecretStr) -> SecretStr:
    """Refuse what was read here before, so that no secret is overwritten by its own mask."""
    if not value.get_secret_value().strip("*"):
        raise ValueError("Input should be the secret itself, not the asterisks shown for it")
    return value


Host = Annotated[str, AfterValidator(_host)]
StoreSecret = Annotated[Hidden, Field(min_length=1, max_length=4000), AfterValidator(_secret)]


class Store(Model):
    """One bucket of an S3-compatible store, and the keys that open it."""

    bucket: str = Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9._-]+$")
    endpoint: AnyHttpUrl = Field(
        description="address of the store, trusted as configured, private networks included"
    )
    region: str = Field("us-east-1", min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")
    access_key_id: str = Field(min_length=1, max_length=500)
    secret_access_key: StoreSecret
    session_token: StoreSecret | None = None
    path_style: bool = Field(
        True, description="the bucket stands in the path, not before the host of the endpoint"
    )


class FetchingSettings(Model):
    """
    What may be fetched for a platform.

    Secrets are shown as asterisks; ``model_dump(mode="json", context=REVEALED)`` is for the store.
    """

    hosts: Annotated[tuple[Host, ...], Field(max_length=100)] | None = Field(
        None, description="hosts that images are fetched from; null: any on the public internet"
    )
    stores: Annotated[tuple[Store, ...], Field(max_length=20)] = Field(
        (), description="buckets that images are fetched from; no others are"
    )

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        buckets = [store.bucket for store in self.stores]
        if len(set(buckets)) < len(buckets):
            raise ValueError("a bucket stands here once")
        return self

    def store_of(self, bucket: str) -> Store | None:
        """Find the store that has a bucket."""
        return next((store for store in self.stores if store.bucket == bucket), None)
