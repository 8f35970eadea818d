"""What an upstream may answer to a probe, and the fact that follows."""

from service.probe import specimen
from tests.probe.gateway import DESCRIBED, EDITED, Given, error

RETIRED = (
    "models/gemini-3.1-flash-image-preview is not found for API version v1beta, or is not "
    "supported for generateContent."
)

# What the route answers, the fact that follows, and what the advice must name.
SHAPES: dict[str, tuple[Given, str, str]] = {
    "wrong key": (error(401, "bad key", code="invalid_api_key"), "wrong_key", "UPSTREAM_KEY"),
    "forbidden": (error(403, "token group disabled"), "wrong_key", "UPSTREAM_KEY"),
    "google's wrong key": (
        error(400, "API key not valid. Please pass a valid API key."),
        "wrong_key",
        "UPSTREAM_KEY",
    ),
    "retired": (error(404, RETIRED), "model_retired", "gemini-3.1-flash-image, gemini-nano-banan"),
    "retired in words": (
        error(400, "This model has been deprecated."),
        "model_retired",
        "gemini-nano-banana-2.1",
    ),
    "unknown model": (
        error(503, "No available channel for model x under group default"),
        "model_unknown",
        "UPSTREAM_MODEL",
    ),
    "unknown model, OpenAI": (
        error(404, "The model `x` does not exist or you do not have access to it."),
        "model_unknown",
        "UPSTREAM_MODEL",
    ),
    "no route": (error(404, "Invalid URL (POST /v1/images/edits)"), "no_route", "ends in /v1"),
    "no route, named by its path": (
        error(404, "POST /v1beta/models/x:generateContent: Not Found"),
        "no_route",
        "ends in /v1",
    ),
    "wrong method": (Given("Method Not Allowed", 405), "no_route", "ends in /v1"),
    "native only": (
        error(500, "not supported model for image generation, only imagen models are supported"),
        "native_only",
        "UPSTREAM_DIALECT=",
    ),
    "native only, 404": (
        error(404, "do not send Gemini image models to /v1/images/*"),
        "native_only",
        "UPSTREAM_DIALECT=",
    ),
    "google's chat layer": (
        error(400, "Unhandled generated data mime type: image/jpeg"),
        "native_only",
        "UPSTREAM_DIALECT=",
    ),
    "response_format": (
        error(400, "Unknown parameter: 'response_format'.", param="response_format"),
        "response_format_refused",
        "UPSTREAM_RESPONSE_FORMAT=false",
    ),
    "rate limit": (error(429, "You exceeded your current quota"), "rate_limited", "wait"),
    "no credit": (error(429, "over", code="insufficient_quota"), "no_credit", "credit"),
    "payment": (error(402, "top up"), "no_credit", "paid"),
    "refused": (error(400, "no", code="moderation_blocked"), "refused", "moderation"),
    "redirect": (Given("", 308, {"Location": "https://x"}), "redirected", "UPSTREAM_URL"),
    "other 4xx": (error(422, "prompt: field required"), "rejected", "HTTP 422"),
    "other 5xx": (error(502, "bad gateway"), "upstream_error", "HTTP 502"),
    "country": (
        error(400, "User location is not supported for the API use."),
        "account_refused",
        "country",
    ),
    "web page": (Given("<html>Welcome</html>"), "not_an_api", "UPSTREAM_URL"),
}
# The same of a 200 whose spelling differs by dialect: image and text.
ANSWERS: dict[str, tuple[bytes | None, str | None, str]] = {
    "good": (EDITED, DESCRIBED, "works"),
    "fenced": (EDITED, f"```json\n{DESCRIBED}\n```", "works"),
    "picture as it was sent": (specimen.picture(), DESCRIBED, "unchanged"),
    "text dropped": (EDITED, None, "text_dropped"),
    "prompt echoed": (EDITED, specimen.PROMPT, "prompt_echoed"),
    "prompt echoed alone": (None, specimen.PROMPT, "prompt_echoed"),
    "image dropped": (None, DESCRIBED, "image_dropped"),
    "both missing": (None, None, "empty"),
    "image broken": (b"\x89PNG\r\n\x1a\n and no more", DESCRIBED, "image_unreadable"),
    "not JSON": (EDITED, "Here is your picture!", "not_json"),
    "schema missed": (EDITED, '{"verdict": "allow"}', "schema_missed"),
    "invented rule": (
        EDITED,
        DESCRIBED.replace("black-square", "white-circle"),
        "schema_missed",
    ),
}
