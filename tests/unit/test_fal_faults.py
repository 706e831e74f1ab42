"""Every error body that fal is known to answer with, and what it becomes."""

import json
from typing import Any

import httpx
import pytest

from generator.fal.faults import Faults
from generator.types import BackendError, BlockedError, RenderError
from tests.fal import KEY

FAULTS = Faults("fal-ai/model", KEY, "MY_FAL_KEY")


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(status, content=content, headers=headers)


def detail(kind: str, field: str = "prompt", message: str = "not so") -> dict[str, Any]:
    return {
        "detail": [{"loc": ["body", field], "msg": message, "type": kind, "url": "https://docs.fal.ai", "input": 1}]
    }


@pytest.mark.parametrize(
    ("kind", "field", "error", "said"),
    [
        ("missing", "prompt", RenderError, r"prompt: not so \(missing\)\. Change prompt\."),
        ("value_error", "seed", RenderError, r"Change seed\."),
        ("greater_than", "num_frames", RenderError, r"num_frames: not so \(greater_than\)"),
        ("greater_than_equal", "num_frames", RenderError, "Change num_frames"),
        ("less_than", "num_frames", RenderError, "Change num_frames"),
        ("less_than_equal", "num_frames", RenderError, "Change num_frames"),
        ("multiple_of", "num_frames", RenderError, "Change num_frames"),
        ("one_of", "video_quality", RenderError, "Change video_quality"),
        ("sequence_too_short", "prompt", RenderError, "Change prompt"),
        ("sequence_too_long", "prompt", RenderError, "Change prompt"),
        ("feature_not_supported", "sync_mode", RenderError, "Change sync_mode"),
        ("no_media_generated", "prompt", RenderError, "Try another seed or prompt"),
        ("image_too_small", "image_url", RenderError, "Give another first frame"),
        ("image_too_large", "image_url", RenderError, "Give another first frame"),
        ("image_load_error", "image_url", RenderError, "Give another first frame"),
        ("file_download_error", "image_url", RenderError, "Give another first frame"),
        ("file_too_large", "image_url", RenderError, "Give another first frame"),
        ("face_detection_error", "image_url", RenderError, "Give another first frame"),
        ("unsupported_image_format", "image_url", RenderError, "Give another first frame"),
        ("content_policy_violation", "prompt", BlockedError, "safety checks .* Change the prompt or the first frame"),
        ("internal_server_error", "prompt", BackendError, "may do later"),
        ("generation_timeout", "prompt", BackendError, "may do later"),
        ("downstream_service_error", "prompt", BackendError, "may do later"),
        ("downstream_service_unavailable", "prompt", BackendError, "may do later"),
    ],
)
def test_errors_of_a_model(kind: str, field: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        raise FAULTS.of_answer(answer(422, detail(kind, field)))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "kind", "error", "said"),
    [
        (504, "request_timeout", BackendError, r"raise generator\.timeout_seconds"),
        (504, "startup_timeout", BackendError, "machine did not start"),
        (503, "runner_scheduling_failure", BackendError, "may do later"),
        (503, "runner_connection_timeout", BackendError, "may do later"),
        (503, "runner_connection_refused", BackendError, "may do later"),
        (503, "runner_connection_error", BackendError, "may do later"),
        (503, "runner_disconnected", BackendError, "may do later"),
        (502, "runner_incomplete_response", BackendError, "may do later"),
        (500, "runner_server_error", BackendError, "may do later"),
        (500, "internal_error", BackendError, "may do later"),
        (499, "client_disconnected", BackendError, "Ask again"),
        (499, "client_cancelled", BackendError, "Somebody cancelled it"),
        (400, "bad_request", RenderError, "Change the request"),
        (400, "content_policy_violation", BlockedError, "Change the prompt or the first frame"),
        (429, "concurrent_requests_limit", BackendError, r"lower generator\.concurrency"),
    ],
)
@pytest.mark.parametrize("where", ["body", "header"])
def test_errors_of_fal_itself(status: int, kind: str, error: type[Exception], said: str, where: str) -> None:
    if where == "body":
        response = answer(status, {"detail": "it went wrong", "error_type": kind})
    else:
        response = answer(status, {"detail": "it went wrong"}, **{"X-Fal-Error-Type": kind})
    with pytest.raises(error, match=rf"it went wrong \({kind}\).*{said}") as caught:
        raise FAULTS.of_answer(response)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (401, {"detail": "invalid key credentials"}, BackendError, "refused the key in MY_FAL_KEY.*Set MY_FAL_KEY"),
        (403, {"detail": "User is locked. Reason: Exhausted balance."}, BackendError, "Exhausted balance.*credit"),
        (404, {"detail": "Application not found"}, BackendError, r"no such model .*Check generator\.model"),
        (429, {"detail": "slow down"}, BackendError, "too much at once"),
        (413, "<html>Request Entity Too Large</html>", RenderError, "Entity Too Large"),
        (422, {"detail": "num_frames is odd"}, RenderError, "num_frames is odd"),
        (422, {"detail": ["odd"]}, RenderError, "does not say why. Change the request"),
        (422, {"detail": ["odd", {"msg": "no loc"}]}, RenderError, "the request: no loc"),
        (502, "<html>nginx</html>", BackendError, "nginx.*may do later"),
        (500, [1], BackendError, "may do later"),
        (500, "", BackendError, r"no reason given \(500\)"),
    ],
)
def test_other_answers(status: int, body: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        raise FAULTS.of_answer(answer(status, body))
    assert type(caught.value) is error


def test_neither_key_nor_image_is_quoted_and_long_words_are_cut() -> None:
    words = f"key {KEY} and data:image/png;base64,{'A' * 5000}== " + "x" * 5000
    for body in ({"detail": words}, detail("value_error", "image_url", words)):
        said = str(FAULTS.of_answer(answer(422, body)))
        assert KEY not in said
        assert "AAAA" not in said
        assert "<key> and <data URI>" in said
        assert len(said) < 500
