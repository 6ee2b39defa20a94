"""What every store promises; see `statefun.runtime.stores.base.Store`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from statefun.runtime.engine.records import (
    DeadLetter,
    Delta,
    OutboxRecord,
    PausedAddress,
    PendingMessage,
    Receipt,
    Recovered,
    StoredEntry,
    Timer,
)
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statefun.runtime.stores.base import Store

__all__ = ["AWAY", "ENTRY", "HERE", "StoreContract", "letter", "message", "record", "timer"]

HERE, AWAY = Address("t/a", "1"), Address("t/b", "Grüße\n\0🌍")
ENTRY = StoredEntry("t/text", b"\x00\xff", 17, 0)


def message(seq: int, target: Address = HERE, caller: Address | None = None) -> PendingMessage:
    """A message with a number."""
    return PendingMessage(caller, b"m%d" % seq, target, seq)


def timer(seq: int, due_ms: int = 5) -> Timer:
    """A timer with a number."""
    return Timer(seq, due_ms, HERE, AWAY, b"t%d" % seq, "token")


def record(number: int) -> OutboxRecord:
    """A record with a number."""
    return OutboxRecord(number, "e/out", b"r%d" % number)


def letter(number: int, last_failed_ms: int = 9, caller: Address | None = None) -> DeadLetter:
    """A dead letter with a number."""
    error = "Grüße\n\0🌍"
    return DeadLetter(number, AWAY, caller, b"l%d" % number, error, 8, 3, last_failed_ms)


class _Kept:
    """A store that can be closed and opened again."""

    def __init__(self, opener: Callable[[], Store], *, is_durable: bool) -> None:
        self._opener = opener
        self._is_durable = is_durable
        self.store = opener()

    def reopened(self) -> Store:
        """What a next process would see; in memory the object is handed on."""
        if self._is_durable:
            self.store.close()
            self.store = self._opener()
        return self.store


class StoreContract(ABC):
    """The promises of a store.

    Attributes:
        is_durable: Whether a store that is opened again has what was committed.
    """

    is_durable: ClassVar[bool] = True

    @abstractmethod
    def open(self, folder: Path) -> Store:
        """Open a store that keeps its data in a folder, which may have data of an earlier one."""

    @contextmanager
    def _opened(self) -> Iterator[_Kept]:
        with TemporaryDirectory() as folder:
            kept = _Kept(lambda: self.open(Path(folder, "data")), is_durable=self.is_durable)
            try:
                yield kept
            finally:
                kept.store.close()

    def test_a_new_store_is_empty(self) -> None:
        """Its first number is 1."""
        with self._opened() as kept:
            assert kept.store.recover() == Recovered()
            assert dict(kept.store.load(HERE)) == {}
            assert list(kept.store.addresses("t/a")) == []

    def test_what_was_committed_is_there_after_reopening(self) -> None:
        """Every kind of record, whatever its text and bytes, in the order of its number."""
        with self._opened() as kept:
            delta = Delta(
                next_seq=99,
                values={(HERE, "n"): ENTRY, (AWAY, "ä\0"): StoredEntry("", b"", -1, 10**15)},
                messages=(message(3), message(1, AWAY, HERE), message(2, HERE, AWAY)),
                timers=(timer(6, 20), timer(7, 10), timer(5, 20)),
                egress=(record(9), record(8)),
            )

            kept.store.commit(delta)
            store = kept.reopened()

            assert store.recover() == Recovered(
                99,
                (message(1, AWAY, HERE), message(2, HERE, AWAY), message(3)),
                3,
                (record(8), record(9)),
            )
            assert list(store.timers()) == [timer(7, 10), timer(5, 20), timer(6, 20)]
            assert dict(store.load(HERE)) == {"n": ENTRY}
            assert dict(store.load(AWAY)) == {"ä\0": StoredEntry("", b"", -1, 10**15)}

    def test_many_addresses_are_loaded_as_one_by_one(self) -> None:
        """Each address that is asked has its values, none if nothing is stored, however many."""
        with self._opened() as kept:
            addresses = [Address(f"t/{each % 3}", f"{each}\0ä") for each in range(1600)]
            values = {
                (each, name): ENTRY._replace(touched_ms=7) for each in addresses for name in "nm"
            }
            kept.store.commit(Delta(9, values={**values, (HERE, "other"): ENTRY}))

            loaded = kept.store.load_many([*addresses, AWAY, AWAY])

            assert loaded == {each: dict(kept.store.load(each)) for each in [*addresses, AWAY]}
            assert loaded[AWAY] == {}
            assert kept.store.load_many([]) == {}

    def test_what_failed_and_what_was_received_is_there_after_reopening(self) -> None:
        """Dead letters, paused addresses and receipts, whatever their text."""
        with self._opened() as kept:
            letters = {2: letter(2, 5, HERE), 1: letter(1, 5), 3: letter(3, 4)}
            paused = (
                PausedAddress(AWAY, "no", 8, 1, 2, "unreadable-value"),
                PausedAddress(HERE, "", 1, -1, 10**15),
            )
            receipts = {(AWAY, "ä\0"): Receipt(7, b"\x00\xff", 5), (HERE, "K"): Receipt(6, b"", 9)}

            kept.store.commit(
                Delta(
                    9,
                    dead_letters=letters,
                    paused={p.address: p for p in paused},
                    receipts=receipts,
                )
            )
            store = kept.reopened()

            assert store.recover() == Recovered(
                9,
                dead_letters=3,
                letter_times={3: 4, 1: 5, 2: 5},
                paused=(paused[1], paused[0]),
                receipts=receipts,
            )
            assert list(store.recover().letter_times) == [3, 1, 2]
            assert store.recover(with_letter_times=False).letter_times == {}
            assert list(store.recover().receipts) == [(HERE, "K"), (AWAY, "ä\0")]
            assert list(store.dead_letters()) == [letters[1], letters[2], letters[3]]
            assert (store.dead_letter(2), store.dead_letter(4)) == (letters[2], None)
            assert store.dead_letter(1 << 70) is None
            assert list(store.paused()) == [paused[1], paused[0]]

    def test_what_is_mended_is_gone_after_reopening(self) -> None:
        """Dead letters replayed, addresses released, receipts expired; a later one replaces one."""
        with self._opened() as kept:
            full = Delta(
                9,
                dead_letters={1: letter(1), 2: letter(2)},
                paused={
                    HERE: PausedAddress(HERE, "no", 8, 1, 2),
                    AWAY: PausedAddress(AWAY, "no", 8, 1, 2),
                },
                receipts={(HERE, "1"): Receipt(1, b"d", 1), (HERE, "2"): Receipt(2, b"d", 2)},
            )
            kept.store.commit(full)

            kept.store.commit(
                Delta(
                    9,
                    dead_letters={1: None, 7: None},
                    paused={HERE: None, AWAY: PausedAddress(AWAY, "again", 8, 3, 4)},
                    receipts={(HERE, "1"): None, (HERE, "2"): Receipt(3, b"e", 3)},
                )
            )
            store = kept.reopened()

            assert list(store.dead_letters()) == [letter(2)]
            assert list(store.paused()) == [PausedAddress(AWAY, "again", 8, 3, 4)]
            assert store.recover().receipts == {(HERE, "2"): Receipt(3, b"e", 3)}

    def test_the_messages_of_an_address_are_those_that_wait_for_it(self) -> None:
        """In the order of their numbers."""
        with self._opened() as kept:
            kept.store.commit(
                Delta(9, messages=(message(3), message(1, AWAY), message(2, HERE, AWAY)))
            )

            assert list(kept.reopened().messages(HERE)) == [message(2, HERE, AWAY), message(3)]

    def test_the_functions_with_values_are_listed_in_the_order_of_their_names(self) -> None:
        """Each once; not those whose values were removed."""
        with self._opened() as kept:
            names = ("t/b", "ä/\0🌍", "t/a", "t/gone")
            values = {(Address(each, number), "n"): ENTRY for each in names for number in "12"}
            kept.store.commit(Delta(1, values))
            kept.store.commit(
                Delta(1, {key: None for key in values if key[0].typename == "t/gone"})
            )

            assert list(kept.reopened().typenames()) == ["t/a", "t/b", "ä/\0🌍"]

    def test_what_is_gone_is_gone_after_reopening(self) -> None:
        """Removing is part of a delta like adding."""
        with self._opened() as kept:
            kept.store.commit(
                Delta(
                    9,
                    {(HERE, "n"): ENTRY, (HERE, "m"): ENTRY},
                    (message(1), message(2)),
                    (),
                    (timer(3), timer(4)),
                    (),
                    (record(5), record(6)),
                )
            )

            kept.store.commit(
                Delta(10, {(HERE, "n"): None}, consumed=(1,), timers_gone=(3,), egress_gone=(5,))
            )
            store = kept.reopened()

            assert store.recover() == Recovered(10, (message(2),), 1, (record(6),))
            assert dict(store.load(HERE)) == {"m": ENTRY}

    def test_the_last_position_of_a_name_is_there_after_reopening(self) -> None:
        """Whatever its bytes; one that was forgotten is gone."""
        with self._opened() as kept:
            kept.store.commit(Delta(1, positions={"b/ä": b"1", "a": b"", "gone": b"1"}))
            kept.store.commit(Delta(1, positions={"b/ä": b"\x00\xff", "gone": None, "never": None}))

            assert kept.reopened().recover() == Recovered(positions={"a": b"", "b/ä": b"\x00\xff"})

    def test_a_value_is_replaced_by_its_next_version(self) -> None:
        """The last delta wins."""
        with self._opened() as kept:
            kept.store.commit(Delta(1, {(HERE, "n"): ENTRY}))
            newer = StoredEntry("t/other", b"new", 18, 5)

            kept.store.commit(Delta(1, {(HERE, "n"): newer}))

            assert dict(kept.reopened().load(HERE)) == {"n": newer}

    def test_committing_a_delta_again_changes_nothing(self) -> None:
        """Nor does removing things twice: a commit whose outcome is unknown can be repeated."""
        with self._opened() as kept:
            delta = Delta(
                9,
                {(HERE, "n"): ENTRY, (AWAY, "n"): None},
                (message(1),),
                (77,),
                (timer(2),),
                (78,),
                (record(3),),
                (79,),
            )

            kept.store.commit(delta)
            kept.store.commit(delta)

            assert kept.reopened().recover() == Recovered(9, (message(1),), 1, (record(3),))

    def test_addresses_with_values_are_listed_in_the_order_of_their_ids(self) -> None:
        """Those of one function, each once; an address whose last value went is not among them."""
        with self._opened() as kept:
            ids = ["b", "a", "", "ä", "AWAY"]
            values: dict[tuple[Address, str], StoredEntry | None] = {}
            for each in ids:
                values[Address("t/a", each), "n"] = values[Address("t/a", each), "m"] = ENTRY
            values[AWAY, "n"] = ENTRY
            kept.store.commit(Delta(1, values))

            kept.store.commit(
                Delta(1, {(Address("t/a", "a"), "n"): None, (Address("t/a", "a"), "m"): None})
            )

            expected = [Address("t/a", each) for each in ["", "AWAY", "b", "ä"]]
            assert list(kept.store.addresses("t/a")) == expected

    def test_addresses_can_be_listed_from_an_id_on(self) -> None:
        """Those behind it, whether it has values or not."""
        with self._opened() as kept:
            kept.store.commit(Delta(1, {(Address("t/a", each), "n"): ENTRY for each in "abd"}))

            assert [each.id for each in kept.store.addresses("t/a", "b")] == ["d"]
            assert [each.id for each in kept.store.addresses("t/a", "c")] == ["d"]
            assert [each.id for each in kept.store.addresses("t/a", "")] == ["a", "b", "d"]

    def test_dead_letters_are_counted(self) -> None:
        """Those that are there, also after a commit that is repeated."""
        with self._opened() as kept:
            for _ in range(2):
                kept.store.commit(Delta(9, dead_letters={1: letter(1), 2: letter(2), 3: letter(3)}))
            for _ in range(2):
                kept.store.commit(Delta(9, dead_letters={1: None, 2: letter(2, 10), 7: None}))

            assert kept.reopened().recover().dead_letters == 2

    def test_timers_are_listed_as_they_will_fire(self) -> None:
        """By time, then by number."""
        with self._opened() as kept:
            kept.store.commit(Delta(9, timers=(timer(1, 30), timer(3, 10), timer(2, 30))))

            assert list(kept.store.timers()) == [timer(3, 10), timer(1, 30), timer(2, 30)]

    def test_closing_a_store_again_does_nothing(self) -> None:
        """Whoever is in doubt may close."""
        with self._opened() as kept:
            kept.store.close()
            kept.store.close()

    def test_the_topics_of_messages_and_dead_letters_are_kept(self) -> None:
        """Whatever their text; an empty one means that there is none."""
        with self._opened() as kept:
            waiting = message(3)._replace(topic="Grüße\n\0🌍")
            lost = replace(letter(1), topic="orders")
            kept.store.commit(Delta(9, messages=(waiting, message(4)), dead_letters={1: lost}))

            store = kept.reopened()

            assert store.recover().messages == (waiting, message(4))
            assert list(store.messages(HERE)) == [waiting, message(4)]
            assert (store.dead_letter(1), list(store.dead_letters())) == (lost, [lost])
