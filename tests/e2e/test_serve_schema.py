"""What the served OpenAPI says, held against the server by requests made from it: right ones and wrong ones."""

from collections import Counter
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.e2e.victim import ANN, Victim

pytestmark = pytest.mark.thorough
EXAMPLES: Final = 4
"""Of each kind for an operation: about 40 operations, a second each."""
SECONDS: Final = 60
WAITING: Final = ("/fal/run/", "/v1/infer")
"""Addresses that answer once the video is there: what is right there waits for its turn."""
TOLD: Final = frozenset({501, 503, 504, 507})
"""Answers of a server that is well: not offered, not just now, not in time, no room."""


def test_every_operation_answers_what_it_says_it_answers(victim: Victim) -> None:
    document = victim.ask("GET", "/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=victim.process.url)
    faults: list[str] = []
    seen: Counter[int] = Counter()
    count = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        count += 1
        for mode in GenerationMode:
            if mode == GenerationMode.POSITIVE and operation.path.startswith(WAITING):
                continue
            try:
                faults += _each(victim, operation.as_strategy(generation_mode=mode), seen)
            except Unsatisfiable:
                continue  # nothing wrong can be said there, or nothing right
    assert not faults, "\n".join(faults[:20])
    assert count > 30
    assert seen[200] > 20
    assert seen[400] + seen[422] > 50


def _each(victim: Victim, cases: Any, seen: Counter[int]) -> list[str]:
    faults: list[str] = []

    @hypothesis.seed(8)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=False,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=cases)
    def run(case: Case[Any]) -> None:
        faults.extend(_asked(victim, case, seen))

    run()
    return faults


def _asked(victim: Victim, case: Case[Any], seen: Counter[int]) -> list[str]:
    """What was wrong with the answer."""
    where = f"{case.method} {case.formatted_path}"
    try:
        answer = case.call(headers=ANN, timeout=SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, there was no answer
        return [f"{where}: {type(error).__name__}: {error}"[:500]]
    seen[answer.status_code] += 1
    if answer.status_code >= 500 and answer.status_code not in TOLD:
        return [f"{where}: {answer.status_code} {answer.text}"[:500]]
    try:
        case.validate_response(answer, checks=[response_schema_conformance, content_type_conformance])
    except BaseException as error:  # noqa: BLE001 - a group of failures is no Exception in every Python
        return [f"{where}: {answer.status_code}: {error}"[:800]]
    if answer.status_code in {200, 201, 202}:
        victim.take_back(answer.content)  # there is no time here to render it
    return []
