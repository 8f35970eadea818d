"""Where an image is that must be fetched: whether it may be, and by which address."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from yarl import URL

from service.addresses import FetchFailed, Policy, listed, parsed
from service.hooks import Link, StoredObject
from service.hooks.stores import FetchingSettings, Store

try:
    import obstore
    from obstore.store import S3Store

    CAN_SIGN = True
except ImportError:  # Only who has images in stores installs the extra.
    CAN_SIGN = False

if TYPE_CHECKING:
    from obstore.store import S3Credential

Remote: TypeAlias = Link | StoredObject
CONNECT_S: Final = 10.0
# Longer than one try, and short for an address that opens a private object.
_SIGNED_FOR: Final = timedelta(minutes=5)
# What the signer refuses, or would change: then another object would be fetched.
_NO_KEY: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|//|^/|/$|^$|(^|/)\.\.?(/|$)")


class Sources:
    """Judges sources by a platform's settings, and by what the operator trusts."""

    def __init__(self, trusted_hosts: tuple[str, ...], max_bytes: int) -> None:
        self._trusted_hosts, self._max_bytes = trusted_hosts, max_bytes

    def check(self, source: Remote, settings: FetchingSettings) -> None:
        """
        Judge a source as far as it shows what it is.

        Raises:
            FetchFailed: It will never be fetched; the message tells why, without path and query.
        """
        if isinstance(source, StoredObject):
            _store_of(source, settings)
        else:
            self._policy(settings).trusts(parsed(source.url))

    def located(self, source: Remote, settings: FetchingSettings) -> tuple[str, Policy]:
        """
        Give the address to fetch, and the rules for that; one in a store is signed for minutes.

        The version of an object is not asked for, since the signer cannot sign it.

        Raises:
            FetchFailed: As ``check`` does, or the extra that signs is not installed.
        """
        if isinstance(source, Link):
            return source.url, self._policy(settings)
        address = _signed(source.key, _store_of(source, settings))
        origin = str(URL(address, encoded=True).origin())
        return address, Policy(origin, (), self._max_bytes, CONNECT_S)

    def _policy(self, settings: FetchingSettings) -> Policy:
        trusted = self._trusted_hosts
        if settings.hosts is not None:
            trusted = tuple(host for host in trusted if listed(host, settings.hosts))
        return Policy(None, settings.hosts, self._max_bytes, CONNECT_S, trusted)


def _store_of(source: StoredObject, settings: FetchingSettings) -> Store:
    store = settings.store_of(source.bucket)
    if store is None:
        raise FetchFailed(
            f"{source.bucket[:255]!r} is no bucket that is fetched from; allowed: "
            f"{', '.join(store.bucket for store in settings.stores) or 'none'}"
        )
    if _NO_KEY.search(source.key):
        raise FetchFailed(
            "the object's key is not fetched; allowed are names between single slashes, without "
            "control characters and names that are only dots"
        )
    return store


def _signed(key: str, store: Store) -> str:
    """Sign a GET of an object, without asking anybody."""
    if not CAN_SIGN:
        raise FetchFailed("images in stores need an extra: pip install 'moderation-service[s3]'")
    endpoint = URL(str(store.endpoint))
    if not store.path_style:
        endpoint = endpoint.with_host(f"{store.bucket}.{endpoint.host}")
    opened = S3Store(
        store.bucket,
        endpoint=str(endpoint).rstrip("/"),
        region=store.region,
        # As a plain argument, what is absent would be taken from the environment: its token.
        credential_provider=lambda: _credential(store),
        virtual_hosted_style_request=not store.path_style,
        client_options={"allow_http": True},
    )
    return obstore.sign(opened, "GET", key, _SIGNED_FOR)


def _credential(store: Store) -> "S3Credential":
    return {
        "access_key_id": store.access_key_id,
        "secret_access_key": store.secret_access_key.get_secret_value(),
        "token": store.session_token.get_secret_value() if store.session_token else None,
        "expires_at": None,
    }
