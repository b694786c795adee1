"""The answer of a batch: a line for each of its lines."""

from __future__ import annotations

from typing import Annotated

import msgspec

from adjudge.documents.decisions import DecisionDocument
from adjudge.documents.problems import Problem
from adjudge.documents.terms import MerchantBizId, said


class BatchLine(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What became of one line: it has a decision or a problem."""

    line: Annotated[int, said("The number of the line in the body, from 1.", 1, minimum=1)]
    merchant_biz_id: Annotated[MerchantBizId | None, said("Of the request; null where the line does not say one.")] = (
        None
    )
    decision: DecisionDocument | None = None
    problem: Problem | None = None
    ended: Annotated[
        bool, said("True where a batch ended early: this line is its last, and what follows was not decided.")
    ] = False
