"""Gates: what a change of a policy must keep to, and where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from adjudge.authoring.comparison.regions import Comparison
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.replay.traffic import Traffic

MustBe = Literal["same", "stricter", "laxer"]


@frozen(kw_only=True)
class Gates:
    """What must hold; None asks for nothing. Shares are 0 to 1, of the log's decisions that can be told.

    must_be: a relation that must be proved; what is the same is also stricter and laxer.
    max_flips: the share that may come out otherwise. max_reviews: the share that the new policy may send to review;
    max_more_reviews: by how much that may be more than the old policy's.
    """

    must_be: MustBe | None = None
    max_flips: float | None = None
    max_reviews: float | None = None
    max_more_reviews: float | None = None

    @property
    def need_traffic(self) -> bool:
        """Whether one of them looks at a log."""
        return any(gate is not None for gate in (self.max_flips, self.max_reviews, self.max_more_reviews))

    def failed(self, comparison: Comparison, traffic: Traffic | None) -> tuple[str, ...]:
        """Return a sentence for each gate that is not kept, or of which a log without decisions says nothing."""
        failed = list(self._relation(comparison))
        if self.need_traffic and (traffic is None or not traffic.decisions):
            failed.append("no decision of the log can be compared")
        elif traffic is not None:
            failed += self._shares(traffic)
        return tuple(failed)

    def _relation(self, comparison: Comparison) -> Iterator[str]:
        if self.must_be is None:
            return
        may_be_laxer, may_be_stricter = not comparison.is_never_softer, not comparison.is_never_harder
        wrong = {"same": may_be_laxer or may_be_stricter, "stricter": may_be_laxer, "laxer": may_be_stricter}
        if not wrong[self.must_be]:
            return
        against = [word for word, is_so in _found(comparison).items() if is_so and word != self.must_be]
        said = f"on some inputs it is {' and on others '.join(against)}" if against else "that is not proved"
        yield f"the new policy must be {self.must_be}; {said}"

    def _shares(self, traffic: Traffic) -> Iterator[str]:
        if self.max_flips is not None and traffic.flip_share > self.max_flips:
            yield f"{traffic.flip_share:.2%} of the decisions change; at most {self.max_flips:.2%} may"
        before, after = (side.share(Outcome.REVIEW) for side in (traffic.old, traffic.new))
        if self.max_reviews is not None and after > self.max_reviews:
            yield f"{after:.2%} of the decisions go to review; at most {self.max_reviews:.2%} may"
        if self.max_more_reviews is not None and after - before > self.max_more_reviews:
            more = f"at most {self.max_more_reviews:.2%} more may"
            yield f"{after:.2%} of the decisions go to review, after {before:.2%}; {more}"


def _found(comparison: Comparison) -> dict[str, bool]:
    return {
        "stricter": any(region.new > region.old for region in comparison.regions),
        "laxer": any(region.new < region.old for region in comparison.regions),
    }
