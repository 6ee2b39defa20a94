"""The journal: it only grows, and a turn writes little of it."""

from __future__ import annotations

from statefun.durable import _proto
from statefun.durable.journal import SEGMENTS, Journal


def record(seq: int, size: int = 40) -> _proto.Record:
    outcome = _proto.Outcome(value=bytes(size))
    return _proto.Record(kind=_proto.DONE, seq=seq, outcome=outcome, commands=[f"call {seq}"])


def test_what_was_appended_is_read_in_order_after_any_reload() -> None:
    """However it is spread over the segments."""
    journal = Journal()
    for seq in range(3000):
        journal.append(record(seq))
        if seq % 97 == 0:
            journal = Journal(journal.segments())

    kept = journal.segments()

    assert [each.seq for each in Journal(kept).records()] == list(range(3000))
    assert [each.seq for each in Journal.of(journal.encoded()).records()] == list(range(3000))
    assert all(kept[name] for name in SEGMENTS)


def test_the_last_record_takes_commands_until_the_next_one_and_after_a_replay() -> None:
    """A failed attempt may go on where it failed."""
    journal = Journal()
    journal.append(record(0))
    journal.append(last := record(1))
    last.commands.append("more")
    kept = Journal(journal.segments())
    records = kept.records()
    kept.open_last(records)
    records[-1].commands.append("and more")

    assert list(Journal(kept.segments()).records()[-1].commands) == ["call 1", "more", "and more"]


def test_a_turn_rewrites_a_bounded_part() -> None:
    """Most turns touch only the newest segment, which stays small."""
    journal, rewritten, before = Journal(), 0, dict.fromkeys(SEGMENTS, b"")
    for seq in range(5000):
        journal.append(record(seq))
        now = journal.segments()
        rewritten += sum(len(data) for name, data in now.items() if data != before[name])
        before = now

    assert rewritten / 5000 < 8_000
