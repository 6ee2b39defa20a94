"""Workflows and activities as classes and functions: Temporal's programming model.

It is a second front end of `statefun.durable`: a run of a workflow is a durable execution, with the
same journal, loop and turn. The modules have the names that they have in `temporalio`; in a program
only `temporalio` becomes `statefun.workflows`.

Example:
    ```python
    from datetime import timedelta

    from statefun.workflows import activity, workflow


    @activity.defn
    async def greet(name: str) -> str:
        return f"Hello {name}"


    @workflow.defn
    class Greeting:
        @workflow.run
        async def run(self, name: str) -> str:
            return await workflow.execute_activity(
                greet, name, start_to_close_timeout=timedelta(seconds=10)
            )
    ```
"""

__all__: list[str] = []
