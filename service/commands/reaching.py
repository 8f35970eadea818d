"""What the commands share that ask a running service: where it is, and with which token."""

from pathlib import Path

from service import administering, app, auth
from service.data_folder import ADDRESS_FILE
from service.errors import StartRefused


def reached(role: auth.Role, url: str | None, data_dir: Path | None) -> tuple[str, str]:
    """
    Tell the address of the service and the token to send: as configured, else as `up` keeps them.

    Raises:
        StartRefused: The settings are wrong, or there is no token.
    """
    configured = app.load(public_url=url, data_dir=data_dir)
    noted = configured.data_dir / ADDRESS_FILE
    if not {"public_url", "port"} & configured.model_fields_set and noted.is_file():
        address = noted.read_text("utf-8")
    else:
        address = app.public_url(configured)
    if configured.token is not None:
        return address, configured.token.get_secret_value()
    path = configured.data_dir / "tokens.json"
    token = administering.read_tokens(path).get(role)
    if token is None:
        raise StartRefused(
            f"no token: set MODERATION_TOKEN, or run `up`, which keeps one in {path}"
        )
    return address, token
