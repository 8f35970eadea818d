"""Answers with another status than 200, and errors inside a 200."""

import json
from typing import Any

from tests.fault_modes import CLEAN, IMAGE, Mode, everywhere, merged
from tests.upstream import Answer, answered, document, error, text

_HERE, _ELSEWHERE = {"Location": "/v1"}, {"Location": "http://169.254.169.254/latest/meta-data"}
_RETIRED = (
    "models/gemini-3.1-flash-image-preview is not found for API version v1beta, or is not "
    "supported for generateContent."
)
_NGINX = "<html><head><title>{0}</title></head><body><center>{0}</center></body></html>"
_RETRY_INFO = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s"},
        ],
    }
}


def _said(http_status: int, message: str, **more: Any) -> Answer:
    return document({"error": {"message": message, **more}}, http_status)


def _wrapped(status: int, inner: dict[str, Any]) -> Answer:
    """Answer as LiteLLM does, with the original JSON inside the message."""
    message = f"litellm.APIError: GeminiException - {json.dumps(inner)}"
    return _said(status, message, code=str(status), type=None, param=None)


def _mode(answer: Answer, outcome: str, seen: str, wait_s: float | None = None) -> Mode:
    return Mode(everywhere(answer), outcome, seen, wait_s)


REFUSALS = {
    "moderation_blocked": _mode(error(400, "moderation_blocked"), "refused", "wire 1"),
    "moderation_blocked_in_output": _mode(
        _said(
            400,
            "Your request was rejected by the safety system.",
            type="image_generation_user_error",
            code="moderation_blocked",
            moderation_details={"moderation_stage": "output", "categories": ["sexual"]},
        ),
        "refused",
        "jeffstric/ZJT#480",
    ),
    "content_policy_violation": _mode(error(400, "content_policy_violation"), "refused", "wire 1"),
    "refusal_wrapped": _mode(
        _wrapped(400, {"error": {"code": "moderation_blocked"}}), "refused", "LiteLLM, wire 6"
    ),
    "prompt_blocked": _mode(error(400, "prompt_blocked"), "refused", "new-api, wire 6"),
    "content_filter_400": _mode(error(400, "content_filter"), "refused", "Azure's chat API"),
    "flagged_403": _mode(
        _said(403, "Your chosen model requires moderation and your input was flagged", code=403),
        "refused",
        "OpenRouter's error page",
    ),
    "refused_in_a_200": _mode(
        answered(CLEAN, IMAGE, error={"code": "moderation_blocked"}), "refused", "wire 6"
    ),
}
PAUSES = {
    "wrong_key_401": _mode(error(401, "invalid_api_key"), "unauthorised", "hardening R5"),
    "wrong_key_400": _mode(
        _said(400, "API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"),
        "unauthorised",
        "Gemini API",
    ),
    "expired_key_400": _mode(
        _said(400, "API key expired. Please renew the API key."), "unauthorised", "Gemini API"
    ),
    "country_400": _mode(
        _said(400, "User location is not supported for the API use."), "unauthorised", "Gemini API"
    ),
    "disabled_group_403": _mode(
        _said(403, "This token group is disabled", type="new_api_error"), "unauthorised", "wire 6"
    ),
    "model_retired_404": _mode(
        _said(404, _RETIRED, code=404, status="NOT_FOUND"), "unauthorised", "presenton#402"
    ),
    "route_404": _mode(text("404 page not found", 404), "unauthorised", "wire 2"),
    "payment_402": _mode(
        _said(402, "Insufficient credits", code=402), "unauthorised", "OpenRouter"
    ),
    "no_quota_429": _mode(error(429, "insufficient_quota"), "unauthorised", "wire 1"),
    "wrong_key_in_a_200": _mode(
        answered(CLEAN, IMAGE, error={"code": 401}), "unauthorised", "OpenRouter's error page"
    ),
}
REJECTIONS = {
    "bad_request_400": _mode(error(400, "invalid_value"), "rejected", "wire 1"),
    "field_too_large_400": _mode(
        document({"detail": "Part exceeded maximum size of 1024KB."}, 400), "rejected", "wire 6"
    ),
    "input_type_400": _mode(
        _said(400, "Unhandled generated data mime type: image/jpeg"),
        "rejected",
        "inference-gateway#274",
    ),
    "json_mode_400": _mode(
        _said(400, "JSON mode is not enabled for this model"), "rejected", "cookbook#1028"
    ),
    "method_405": _mode(text("Method Not Allowed", 405), "rejected", "wire 2"),
    "too_large_413": _mode(
        text(_NGINX.format("413 Request Entity Too Large"), 413), "rejected", "wire 6"
    ),
    "type_415": _mode(error(415, "unsupported_media_type"), "rejected", "hardening R9"),
    "field_required_422": _mode(
        document({"detail": [{"loc": ["body", "prompt"], "msg": "Field required"}]}, 422),
        "rejected",
        "FastAPI gateways",
    ),
    "rejected_in_a_200": _mode(
        answered(CLEAN, IMAGE, error={"code": 400}), "rejected", "OpenRouter's error page"
    ),
    **{
        f"redirect_{status}_{name}": _mode(document({}, status, where), "rejected", "hardening R12")
        for status in (301, 302, 307, 308)
        for name, where in {"here": _HERE, "elsewhere": _ELSEWHERE}.items()
    },
    "created_201": _mode(
        document({"data": [{"b64_json": IMAGE, "revised_prompt": CLEAN}]}, 201),
        "rejected",
        "a gateway's queue",
    ),
    "accepted_202": _mode(document({"task_id": "7"}, 202), "rejected", "a gateway's queue"),
    "no_content_204": _mode(text("", 204), "rejected", "hardening R5"),
}
ERRORS = {
    **{
        f"status_{status}": _mode(error(status, name), "upstream_error", "hardening R5")
        for status, name in {
            408: "request_timeout",
            409: "conflict",
            425: "too_early",
            500: "server_error",
            503: "service_unavailable",
        }.items()
    },
    "wrong_model_500": _mode(
        _said(500, "not supported model for image generation, only imagen models are supported"),
        "upstream_error",
        "gpt_image_playground#133",
    ),
    "no_image_returned_500": _mode(
        _said(500, "no image returned", code="bad_response"), "upstream_error", "new-api, wire 6"
    ),
    "no_results_502": _mode(
        _said(502, "Image edit returned no results"), "upstream_error", "grok2api#417"
    ),
    "bad_gateway_502": _mode(
        text(_NGINX.format("502 Bad Gateway"), 502), "upstream_error", "any proxy"
    ),
    "wait_503": _mode(
        error(503, "overloaded", {"Retry-After": "17"}), "upstream_error", "wire 1", 17
    ),
    "gateway_timeout_504": _mode(text("stream timeout", 504), "upstream_error", "any proxy"),
    "origin_524": _mode(text("error code: 524", 524), "upstream_error", "Cloudflare"),
    "overloaded_529": _mode(
        document({"type": "error", "error": {"type": "overloaded_error"}}, 529),
        "upstream_error",
        "wire 4",
    ),
    "busy_in_a_200": _mode(
        answered(CLEAN, IMAGE, error={"message": "busy"}), "upstream_error", "wire 6"
    ),
    "text_error_in_a_200": _mode(
        answered(CLEAN, IMAGE, error="upstream busy"), "upstream_error", "wire 6"
    ),
}
WAITS = {
    "limit_429": _mode(error(429, "rate_limit_exceeded"), "rate_limited", "wire 1"),
    "limit_in_a_200": _mode(
        answered(CLEAN, IMAGE, error={"code": "429"}), "rate_limited", "OpenRouter's error page"
    ),
    "wait_in_the_body_429": _mode(document(_RETRY_INFO, 429), "rate_limited", "wire 3", 31),
    "wait_in_a_list_429": _mode(document([_RETRY_INFO], 429), "rate_limited", "Gemini API", 31),
    "wait_wrapped_429": _mode(_wrapped(429, _RETRY_INFO), "rate_limited", "LiteLLM, wire 6", 31),
    **{
        f"{name}_429": _mode(error(429, "slow_down", headers), "rate_limited", seen, wait_s)
        for name, (headers, seen, wait_s) in {
            "wait_in_seconds": ({"Retry-After": "7"}, "wire 1", 7),
            "wait_in_fractions": ({"Retry-After": "7.5"}, "wire 1", 7.5),
            "wait_in_milliseconds": ({"Retry-After-Ms": "8500"}, "wire 1", 8.5),
            "wait_until_a_date": (
                {
                    "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
                    "Retry-After": "Sun, 22 Nov 2026 10:00:09 GMT",
                },
                "wire 1",
                9,
            ),
            "wait_moved": ({"llm_provider-retry-after": "11"}, "LiteLLM, wire 6", 11),
            "wait_too_long": ({"Retry-After": "86400"}, "hardening R5", 300),
            "wait_infinite": ({"Retry-After": "inf"}, "hardening R5", 300),
            "wait_negative": ({"Retry-After": "-5"}, "hardening R5", 1),
            "wait_garbled": ({"Retry-After": "soon"}, "hardening R5", None),
            "wait_no_number": ({"Retry-After": "nan"}, "hardening R5", None),
        }.items()
    },
}
MODES = merged(REFUSALS, PAUSES, REJECTIONS, ERRORS, WAITS)
