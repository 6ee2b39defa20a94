"""The pure state machine of the runtime: events and the time go in, instructions come out."""
