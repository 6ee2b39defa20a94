"""Histories: what a run was told and what it asked for, to be kept and replayed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from statefun.durable import _proto as durable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WorkflowHistory"]


@dataclass(frozen=True)
class WorkflowHistory:
    """The history of a run.

    Attributes:
        workflow_id: The id of the workflow.
        events: What the run was told, oldest first, with the commands it gave.
    """

    workflow_id: str
    events: Sequence[durable.Record]

    @property
    def run_id(self) -> str:
        """The id of the run.

        Raises:
            RuntimeError: If there are no events.
        """
        if not self.events:
            raise RuntimeError("No events")
        return str(self.events[0].invoke.id)

    def to_json_dict(self) -> dict[str, Any]:
        """The history as it is written to JSON."""
        return {
            "workflowId": self.workflow_id,
            "events": [json_format.MessageToDict(each) for each in self.events],
        }

    def to_json(self) -> str:
        """The history as JSON, to be kept in a file."""
        return json.dumps(self.to_json_dict(), indent=2, sort_keys=True)

    @staticmethod
    def from_json(workflow_id: str, history: str | dict[str, Any]) -> WorkflowHistory:
        """A history from JSON.

        Args:
            workflow_id: The id of the workflow.
            history: What `to_json` or `to_json_dict` returned.

        Raises:
            ValueError: If it is something else.
        """
        given = json.loads(history) if isinstance(history, str) else history
        events = given.get("events") if isinstance(given, dict) else None
        if not isinstance(events, list):
            raise ValueError(  # noqa: TRY004 - it is the value that is wrong
                "the history has no events: pass what WorkflowHistory.to_json returned; a history "
                "of another service is not of this form"
            )
        try:
            records = [json_format.ParseDict(each, durable.Record()) for each in events]
        except json_format.ParseError as error:
            raise ValueError(f"an event of the history cannot be read: {error}") from error
        return WorkflowHistory(workflow_id, records)
