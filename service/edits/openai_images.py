"""
The dialect ``openai-images``: multipart ``POST {base}/images/edits``.

Source: CreateImageEditRequest and ImagesResponse of the public OpenAI specification; where gateways
differ from it is noted at the place.
"""

import secrets

from service.edits import Answer, Edit, Reply, Request, Upstream, reading, replies
from service.edits.replies import Hosted

_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


def build(edit: Edit, upstream: Upstream) -> Request:
    """Build the request; the picture's own name never goes out."""
    fields = {"model": upstream.model, "prompt": edit.prompt, "n": "1"}
    if upstream.response_format:
        fields["response_format"] = "b64_json"
    boundary = f"moderation-{secrets.token_hex(16)}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file_name = f"image.{_EXTENSIONS[edit.mime]}"
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{file_name}"\r\n'
        f"Content-Type: {edit.mime}\r\n\r\n".encode(),
        edit.image,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if upstream.key:
        headers["Authorization"] = f"Bearer {upstream.key}"
    return Request(f"{upstream.url.rstrip('/')}/images/edits", headers, b"".join(parts))


def read(reply: Reply, prompt: str) -> Answer | Hosted:
    """
    Read the reply.

    Raises:
        AttemptFailed: With the outcome that the table knows.
    """
    answer = replies.opened(reply)
    items = reading.items(answer)
    addresses = [item.get("b64_json") or item.get("url") for item in items]
    images = [address for address in addresses if isinstance(address, str) and address]
    usage = replies.mapping(answer.get("usage"))
    details = replies.mapping(usage.get("input_tokens_details"))
    tokens = replies.Tokens(
        replies.total(usage, "input_tokens"),
        replies.total(usage, "output_tokens"),
        replies.total(details, "cached_tokens"),
    )
    return replies.both(reply, images, reading.description_text(answer, prompt), tokens)
