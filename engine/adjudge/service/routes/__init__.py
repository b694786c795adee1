"""All that the service answers: each route reads a document, asks the engine, and answers with a document."""

from __future__ import annotations

from adjudge.service.route import Route
from adjudge.service.routes import (
    batch,
    decisions,
    description,
    labels,
    metrics,
    operations,
    policies,
    proposals,
    reviews,
    rollouts,
    signals,
)

ROUTES: tuple[Route, ...] = (
    *decisions.ROUTES,
    *batch.ROUTES,
    *labels.ROUTES,
    *policies.ROUTES,
    *operations.ROUTES,
    *metrics.ROUTES,
    *reviews.ROUTES,
    *rollouts.ROUTES,
    *proposals.ROUTES,
    *signals.ROUTES,
    *description.ROUTES,
)
