"""The reader itself: messages in order for each MerchantBizId, several ids at a time, until each is taken or dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from adjudge.plugin import Events, LogRecord, Position, ReaderFailed, format_timestamp
from adjudge_plugins.webhook.chosen import Tags, is_chosen, tags_of
from adjudge_plugins.webhook.delivery import Delivery, Refusal
from adjudge_plugins.webhook.message import Message, message_of
from adjudge_plugins.webhook.settings import Settings
from adjudge_plugins.webhook.state import Letter, State, Trying

BEHIND = "an earlier message of this MerchantBizId is a dead letter"
ASIDE_MAX = 1000
"""Messages that are set aside at most; with more, the webhook waits where it is in the log."""
ASIDE_AFTER = 4
"""Tries after which a message is set aside although nothing else was taken: the other side may be down for all."""
FULL = Refusal(f"{ASIDE_MAX} messages are set aside already")
_events = Events("adjudge.webhook")


class Webhook:
    """Tells another system of the decisions that it wants to know of."""

    def __init__(self, settings: Settings) -> None:
        """Remember how; nothing is opened yet."""
        self._settings = settings
        self._state: State | None = None
        self._tags: dict[str, Tags] = {}
        self._taken: set[tuple[str, int]] = set()  # behind one that was not taken: they are not sent twice
        self._loop: asyncio.AbstractEventLoop | None = None
        self._delivery: Delivery | None = None

    def open(self, end: Position) -> Position:
        """Say what was told; of a log that is new here, only what comes from now on is to be."""
        if self._state is None:
            self._state = State(self._settings.state)
            self._tags = self._state.tags()
        held = self._state.positions.of(end.log)
        if held is None:
            self._state.require_positions()
            self._state.positions.put(end)
        return held or end

    def take(self, records: Sequence[LogRecord]) -> None:
        """Tell of the decisions among them. What was told before one fails is remembered.

        What fails is set aside, and what follows it of its MerchantBizId, so that it holds up no other.
        """
        assert self._state is not None, "it is opened first"
        with self._state.telling():
            self._take(self._state, records)

    def _take(self, state: State, records: Sequence[LogRecord]) -> None:
        messages = self._messages(records)
        aside = state.aside() if messages else []
        known, waiting = {one.event_id for one in aside}, {one.merchant_biz_id for one in aside}
        came = [one for one in messages if one.event_id not in known and (one.log, one.seq) not in self._taken]
        failed, is_up = self._told(state, [one for one in came if one.merchant_biz_id not in waiting])
        left = [one for one in came if one.event_id in failed or one.merchant_biz_id in waiting]
        tries, enough = _tries(left, state), 1 if is_up else ASIDE_AFTER
        moved = [one for one in left if one.merchant_biz_id in waiting or tries[one.merchant_biz_id] >= enough]
        moved = moved[: max(0, ASIDE_MAX - len(aside))]
        if moved:
            state.put_aside([*aside, *moved])
        left = [one for one in left if one not in moved]
        whole = [record for record in records if not left or record.seq < left[0].seq]
        if whole:
            state.positions.put(whole[-1].position)
        if not left:
            self._taken.clear()
            return
        refusal = failed.get(left[0].event_id, FULL)
        raise ReaderFailed(refusal.why, retry_after_s=refusal.retry_after_s)

    def again(self) -> None:
        """Tell of what was set aside. Raises ReaderFailed while some of it is left."""
        assert self._state is not None, "it is opened first"
        if not self._state.has_aside():
            return
        with self._state.telling():
            aside = self._state.aside()
            tries = _tries(aside, self._state)
            failed, _ = self._told(self._state, sorted(aside, key=lambda one: tries[one.merchant_biz_id]))  # in turns
            left = [one for one in aside if one.event_id in failed]
            self._state.put_aside(left)
        if left:
            refusal = failed[left[0].event_id]
            said = f"{len(left)} message{'' if len(left) == 1 else 's'} set aside: {refusal.why}"
            raise ReaderFailed(said, retry_after_s=refusal.retry_after_s)

    def _told(self, state: State, messages: Sequence[Message]) -> tuple[dict[str, Refusal], bool]:
        if not messages:
            return {}, False
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(self._send(state, messages))

    def close(self) -> None:
        """Let the connections go."""
        if self._loop is not None:
            if self._delivery is not None:
                self._loop.run_until_complete(self._delivery.aclose())
            self._loop.close()
        self._loop = self._delivery = None

    def _messages(self, records: Sequence[LogRecord]) -> list[Message]:
        """Return what is to be told of, and remember the tags of policies on the way."""
        assert self._state is not None, "it is opened first"
        found, before = [], len(self._tags)
        for record in records:
            if record.kind == "policy" and self._settings.tags:
                members = record.members()
                tags = tags_of(members)
                if tags is not None:
                    self._tags.setdefault(members.get("digest", ""), tags)
            elif record.kind == "decision":
                members = record.members()
                if is_chosen(self._settings, members, self._tags.get(members.get("policy_digest", ""))):
                    found.append(message_of(record, members))
        if len(self._tags) > before:
            self._state.put_tags(self._tags)
        return found

    async def _send(self, state: State, messages: Sequence[Message]) -> tuple[dict[str, Refusal], bool]:
        """Send messages, those of one MerchantBizId in turn.

        Return why those that are to be sent again were not taken, by their event ids, and whether any was. Where as
        many as are told at a time find it down, the others are not tried: each would hang for as long.
        """
        if self._delivery is None:
            self._delivery = Delivery(self._settings)
        self._delivery.read_secrets()
        delivery, trying = self._delivery, state.trying()
        queues: dict[str, list[Message]] = {}
        for message in messages:
            queues.setdefault(message.merchant_biz_id, []).append(message)
        free, failed = asyncio.Semaphore(self._settings.parallel), {}  # type: asyncio.Semaphore, dict[str, Refusal]
        taken, down = 0, []  # type: int, list[Refusal]

        async def work(queue: Sequence[Message]) -> None:
            nonlocal taken
            for at, message in enumerate(queue):
                before = trying.get(message.event_id) or Trying(since=time.time())
                if message.merchant_biz_id in state.held() and self._bury(state, message, BEHIND, before):
                    continue
                async with free:
                    if not taken and len(down) >= self._settings.parallel:
                        failed.update({later.event_id: down[0] for later in queue[at:]})
                        return
                    refusal = await delivery.send(message, tries=before.tries)
                if refusal is None:
                    taken += 1
                    trying.pop(message.event_id, None)
                    self._taken.add((message.log, message.seq))
                    continue
                if not refusal.is_of_message:
                    down.append(refusal)
                now = Trying(before.since, before.tries + 1, before.refused + refusal.is_of_message)
                if self._is_dead(now):
                    trying.pop(message.event_id, None)
                    self._bury(state, message, refusal.why, now)
                    continue
                trying[message.event_id] = now
                failed.update({later.event_id: refusal for later in queue[at:]})
                return

        was = dict(trying)
        try:
            # each to its end, also where one cannot write: what is left over would go on beside the next attempt
            ended = await asyncio.gather(*(work(queue) for queue in queues.values()), return_exceptions=True)
        finally:
            if trying != was:
                state.put_trying(trying)
        for one in ended:
            if isinstance(one, BaseException):
                raise one
        return failed, taken > 0

    def _is_dead(self, trying: Trying) -> bool:
        is_late = time.time() - trying.since >= self._settings.give_up_after_s
        return trying.refused >= self._settings.tries or is_late

    def _bury(self, state: State, message: Message, why: str, trying: Trying) -> bool:
        """Keep a dead letter; False where it was to lie behind others, which were sent again meanwhile."""
        letter = Letter(
            log=message.log,
            seq=message.seq,
            merchant_biz_id=message.merchant_biz_id,
            body=message.body.decode(),
            at=format_timestamp(datetime.now(UTC)),
            why=why,
            tries=trying.tries,
        )
        with state.alone():
            if why == BEHIND and message.merchant_biz_id not in state.held():
                return False
            state.bury(letter)
        self._taken.add((message.log, message.seq))
        _events.error("webhook_dead_letter", event_id=message.event_id, why=why, tries=trying.tries)
        return True


def _tries(messages: Sequence[Message], state: State) -> dict[str, int]:
    """Return how often the first message of each MerchantBizId was tried."""
    trying, found = state.trying(), {}  # type: dict[str, Trying], dict[str, int]
    for message in messages:
        tried = trying.get(message.event_id)
        found.setdefault(message.merchant_biz_id, tried.tries if tried is not None else 0)
    return found
