"""Law: what pydantic can convert travels between clients, workflows and activities."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pydantic import BaseModel, ValidationError

from statefun.workflows import activity, workflow
from statefun.workflows.contrib.pydantic import (
    PydanticPayloadConverter,
    ToJsonOptions,
    pydantic_data_converter,
)
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Worker


class Visit(BaseModel):
    """A model with a date, which the default converter refuses."""

    day: date
    length: timedelta = timedelta(hours=1)


@activity.defn
async def later(visit: Visit) -> Visit:
    """The visit a day later."""
    return Visit(day=visit.day + timedelta(days=1), length=visit.length)


@workflow.defn
class Postponed:
    """Postpones visits."""

    @workflow.run
    async def run(self, visits: list[Visit]) -> list[Visit]:
        """Main."""
        return [
            await workflow.execute_activity(
                later, each, start_to_close_timeout=timedelta(seconds=5)
            )
            for each in visits
        ]


async def test_models_are_arguments_and_results() -> None:
    """Also inside of lists."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter
    ) as env:
        worker = Worker(env.client, task_queue="q", workflows=[Postponed], activities=[later])
        async with worker:
            result = await env.client.execute_workflow(
                Postponed.run, [Visit(day=date(2026, 1, 2))], id="v", task_queue="q"
            )
    assert result == [Visit(day=date(2026, 1, 3))]


def test_values_are_written_as_pydantic_writes_them() -> None:
    """With its options, and its refusals."""
    visit = Visit(day=date(2026, 1, 2))
    converter = PydanticPayloadConverter()
    assert converter.to_payload(visit).data == visit.model_dump_json().encode()
    assert converter.to_payload(None).metadata["encoding"] == b"binary/null"
    short = PydanticPayloadConverter(ToJsonOptions(exclude_unset=True))
    assert short.to_payload(visit).data == b'{"day":"2026-01-02"}'
    assert converter.from_payload(converter.to_payload({"a": 1})) == {"a": 1}
    with pytest.raises(TypeError):
        converter.to_payload(object())
    with pytest.raises(ValidationError):
        converter.from_payload(converter.to_payload("x"), Visit)
