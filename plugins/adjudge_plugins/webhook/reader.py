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
            self._state.positions.put(end)
        return held or end

    def take(self, records: Sequence[LogRecord]) -> None:
        """Tell of the decisions among them. What was told before one fails is remembered."""
        assert self._state is not None, "it is opened first"
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        messages = self._messages(records)
        failed = self._loop.run_until_complete(self._send(self._state, messages)) if messages else {}
        first = min(failed, default=None)
        whole = [record for record in records if first is None or record.seq < first]
        if whole:
            self._state.positions.put(whole[-1].position)
        if first is None:
            self._taken.clear()
            return
        raise ReaderFailed(failed[first].why, retry_after_s=failed[first].retry_after_s)

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

    async def _send(self, state: State, messages: Sequence[Message]) -> dict[int, Refusal]:
        """Send messages, those of one MerchantBizId in turn; return why those that are to be sent again were not taken.

        By their numbers in the log.
        """
        if self._delivery is None:
            self._delivery = Delivery(self._settings)
        delivery, trying = self._delivery, state.trying()
        queues: dict[str, list[Message]] = {}
        for message in messages:
            if (message.log, message.seq) not in self._taken:
                queues.setdefault(message.merchant_biz_id, []).append(message)
        free, failed = asyncio.Semaphore(self._settings.parallel), {}  # type: asyncio.Semaphore, dict[int, Refusal]

        async def work(queue: Sequence[Message]) -> None:
            for at, message in enumerate(queue):
                before = trying.get(message.event_id) or Trying(since=time.time())
                if message.merchant_biz_id in state.held() and self._bury(state, message, BEHIND, before):
                    continue
                async with free:
                    refusal = await delivery.send(message, tries=before.tries)
                if refusal is None:
                    trying.pop(message.event_id, None)
                    self._taken.add((message.log, message.seq))
                    continue
                now = Trying(before.since, before.tries + 1, before.refused + refusal.is_of_message)
                if self._is_dead(now):
                    trying.pop(message.event_id, None)
                    self._bury(state, message, refusal.why, now)
                    continue
                trying[message.event_id] = now
                failed.update({later.seq: refusal for later in queue[at:]})
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
        return failed

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
