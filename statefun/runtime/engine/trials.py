"""Trials: finds the message that ends the process, and lets no innocent one be given up for it.

A function of this process can take the process along: by a crash in native code, by using up the
memory, by `os._exit`. Nobody is left then to count the attempt. So the store knows whether a
process ended without saying so, and after such an end the next one is careful.

Law: the store says that a process runs before its first call, and that it ended. After an unclean
end the messages that were stored are tried in groups, each of which is stored as such before its
calls begin, and nothing else is called that can end the process meanwhile. If a group ends the
process again, the next process tries an eighth as many messages at once. It tries more only when
twice as many messages as that group had were tried. So groups become smaller until the deadly
message is alone, and large again soon where the end came from outside. A message that is alone when
the process ends has failed once more.
Messages that come later are called once they are stored, so that they can be found in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.runtime.engine.records import Trial

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.mailbox import Mailbox
    from statefun.runtime.engine.records import Recovered
    from statefun.runtime.engine.residency import Residency

__all__ = ["Trials"]

_MOST_ADDRESSES = 64
_MOST_MESSAGES = 256
"""So many are tried at once, as long as nothing is known about them."""

_FEWER = 8
"""A group that ended the process is divided by this."""

_CAREFUL_COMMITS = 100
"""After an unclean end messages are called only once they are stored, for so many commits."""


class Trials:
    """Decides which of the ready mailboxes may be called now.

    Args:
        can_end_process: Whether a call of a function can end the process, by its typename.
        changes: Told of the messages that are tried.

    Attributes:
        is_active: Whether there is anything to decide; if not, every ready mailbox may be called.
        convict: The mailbox whose first message was alone when the last process ended, None if
            there is none.
    """

    def __init__(self, can_end_process: Callable[[str], bool], changes: Changes) -> None:
        self._can_end_process = can_end_process
        self._changes = changes
        self._held: dict[Mailbox, None] = {}
        self._group: dict[Mailbox, int] = {}  # those that are tried now: how many of its messages
        self._is_begun = False  # whether the group is stored as such
        self._has_marks = False
        self._marked_in = 0  # the epoch in which the group was chosen
        self._stored_before = 0  # suspects have numbers below
        self._most = _MOST_MESSAGES  # of the next group
        self._to_be_tried = 0  # before groups may become larger
        self._deadly: set[Mailbox] = set()  # those that ended it alone
        self._careful_commits = 0
        self.is_active = False
        self.convict: Mailbox | None = None

    def recover(self, recovered: Recovered, residency: Residency) -> None:
        """Go on where the last process ended; its messages and failures are in their mailboxes."""
        self._has_marks = bool(recovered.trials)
        for record in recovered.failures:
            mailbox = residency.open(record.address)
            if _is_deadly(mailbox):
                self._deadly.add(mailbox)
        self.is_active = recovered.was_running or bool(self._deadly)
        if not recovered.was_running:
            return
        self._stored_before = recovered.next_seq
        self._careful_commits = _CAREFUL_COMMITS
        tried = recovered.trials
        if tried:
            self._most = max(1, len(tried) // _FEWER)
            self._to_be_tried = 2 * len(tried)
        if len(tried) == 1:
            mailbox = residency.open(tried[0].address)
            if _was_under_way(mailbox, tried[0]):
                self.convict = mailbox
                self._deadly.add(mailbox)

    def arrange(self, ready: deque[Mailbox]) -> None:
        """Leave those in the queue that may be called now, and hold the others."""
        self._sort_out(ready)
        is_stored = self._changes.durable_epoch >= self._marked_in
        if self._group and not self._is_begun and is_stored:
            self._is_begun = True
            self._let_go(list(self._group), ready)
        if not self._group:
            self._choose(ready)

    def ended(self, mailbox: Mailbox) -> None:
        """An attempt with the batch of a mailbox is over."""
        if mailbox in self._group:
            self._to_be_tried -= self._group.pop(mailbox)
            if not self._group:  # in the same commit as the outcome, or it would count once more
                if self._to_be_tried <= 0:
                    self._most = min(2 * self._most, _MOST_MESSAGES)
                self._has_marks = False
                self._changes.trial(())

    def committed(self) -> None:
        """The changes are durable."""
        self._careful_commits -= 1

    def end(self) -> None:
        """The process ends in an orderly way: nothing that it called can be to blame."""
        self._changes.running(is_running=False)
        if self._has_marks:
            self._changes.trial(())

    def _sort_out(self, ready: deque[Mailbox]) -> None:
        """Hold what can end the process, unless it is to be tried now."""
        for _ in range(len(ready)):
            mailbox = ready.popleft()
            is_tried = self._is_begun and mailbox in self._group
            if is_tried or not self._can_end_process(mailbox.address.typename):
                ready.append(mailbox)
            else:
                self._held[mailbox] = None

    def _choose(self, ready: deque[Mailbox]) -> None:
        """Begin with the next group; if there is none, let go what is stored."""
        changes = self._changes
        group = self._next_group()
        if group:
            self._group = {each: len(each.messages) for each in group}
            self._is_begun, self._has_marks, self._marked_in = False, True, changes.epoch
            changes.trial(
                tuple(
                    Trial(each.address, message.seq) for each in group for message in each.messages
                )
            )
            return
        if self._has_marks:
            self._has_marks = False
            changes.trial(())
        known = changes.durable_seq if self._careful_commits > 0 else changes.next_seq
        self._let_go([each for each in self._held if each.messages[-1].seq < known], ready)
        self.is_active = self._careful_commits > 0 or self._has_deadly()

    def _next_group(self) -> list[Mailbox]:
        """Those of whom nothing is known, as many as may be tried; then the deadly, one by one."""
        group: list[Mailbox] = []
        room = self._most
        for mailbox in self._held:
            if not room or len(group) == _MOST_ADDRESSES:
                break
            if mailbox.messages[0].seq < self._stored_before and not _is_deadly(mailbox):
                mailbox.try_first(room)
                room -= len(mailbox.messages)
                group.append(mailbox)
        if not group:
            group = [mailbox for mailbox in self._held if _is_deadly(mailbox)][:1]
            for mailbox in group:
                mailbox.try_first(1)
        return group

    def _let_go(self, mailboxes: list[Mailbox], ready: deque[Mailbox]) -> None:
        for mailbox in mailboxes:
            self._held.pop(mailbox, None)
            ready.append(mailbox)

    def _has_deadly(self) -> bool:
        """Whether there still is an address that ended the process alone."""
        self._deadly = set(filter(_is_deadly, self._deadly))
        return bool(self._deadly)


def _is_deadly(mailbox: Mailbox) -> bool:
    """Whether a process ended while its first message was tried alone."""
    return mailbox.failures is not None and mailbox.failures.deaths > 0


def _was_under_way(mailbox: Mailbox, trial: Trial) -> bool:
    """Whether the message of a trial is the next of its address, and nothing was decided on it."""
    if not mailbox.taken or mailbox.is_paused:
        return False
    return mailbox.taken[0].seq == trial.seq
