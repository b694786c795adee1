// Made by generate.py from the OpenAPI document of the service. Change that, and make this again.
import { Exchange, segment } from "./exchange.js";
export { AdjudgeError, ProblemError, ServiceMismatch, ServiceUnavailable, newMerchantBizId } from "./exchange.js";

export class Client extends Exchange {
  decide(body, options = {}) {
    return this.ask(
      {
        method: "POST",
        path: "/v1/decisions",
        gives: [200, 202],
        query: { anew: options.anew },
        body,
        ids: { ...body },
        isRepeatable: !options.anew,
        deadlineMs: options.deadlineMs,
      },
      options,
    );
  }

  search(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/v1/decisions",
        gives: [200],
        query: { merchant_biz_id: options.merchant_biz_id, outcome: options.outcome, policy: options.policy, rule: options.rule, reason: options.reason, missing: options.missing, tag: options.tag, waiver: options.waiver, unknown: options.unknown, since: options.since, until: options.until, limit: options.limit, cursor: options.cursor },
        isRepeatable: true,
      },
      options,
    );
  }

  findOne(decisionId, options = {}) {
    return this.ask(
      {
        method: "GET",
        path: `/v1/decisions/${segment(decisionId)}`,
        gives: [200],
        ids: { decision_id: decisionId },
        absent: ["no-decision"],
        isRepeatable: true,
      },
      options,
    );
  }

  explain(decisionId, options = {}) {
    return this.ask(
      {
        method: "GET",
        path: `/v1/decisions/${segment(decisionId)}/explanation`,
        gives: [200],
        query: { locale: options.locale, audience: options.audience },
        ids: { decision_id: decisionId },
        absent: ["no-decision"],
        isRepeatable: true,
      },
      options,
    );
  }

  label(body, options = {}) {
    return this.ask(
      {
        method: "POST",
        path: "/v1/labels",
        gives: [204],
        body,
        ids: { ...body },
      },
      options,
    );
  }

  erase(merchantBizId, body, options = {}) {
    return this.ask(
      {
        method: "DELETE",
        path: `/v1/subjects/${segment(merchantBizId)}`,
        gives: [200],
        body,
        ids: { merchant_biz_id: merchantBizId, ...body },
      },
      options,
    );
  }

  listPolicies(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/v1/policies",
        gives: [200],
        isRepeatable: true,
      },
      options,
    );
  }

  findPolicy(name, options = {}) {
    return this.ask(
      {
        method: "GET",
        path: `/v1/policies/${segment(name)}`,
        gives: [200],
        ids: { name: name },
        absent: ["no-policy"],
        isRepeatable: true,
      },
      options,
    );
  }

  health(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/healthz",
        gives: [200],
        isRepeatable: true,
      },
      options,
    );
  }

  ready(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/readyz",
        gives: [200, 503],
        isRepeatable: true,
      },
      options,
    );
  }

  metrics(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/metrics",
        gives: [200],
        isText: true,
        isRepeatable: true,
      },
      options,
    );
  }

  listReviews(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/v1/reviews",
        gives: [200],
        query: { status: options.status, policy: options.policy, reason: options.reason, holder: options.holder, since: options.since, limit: options.limit },
        isRepeatable: true,
      },
      options,
    );
  }

  review(body, options = {}) {
    return this.ask(
      {
        method: "POST",
        path: "/v1/reviews",
        gives: [200],
        body,
        ids: { ...body },
      },
      options,
    );
  }

  findReview(decisionId, options = {}) {
    return this.ask(
      {
        method: "GET",
        path: `/v1/reviews/${segment(decisionId)}`,
        gives: [200],
        ids: { decision_id: decisionId },
        isRepeatable: true,
      },
      options,
    );
  }

  look(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/v1/rollouts",
        gives: [200],
        isRepeatable: true,
      },
      options,
    );
  }

  do(body, options = {}) {
    return this.ask(
      {
        method: "POST",
        path: "/v1/rollouts",
        gives: [200],
        body,
        ids: { ...body },
      },
      options,
    );
  }

  listProposals(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/v1/proposals",
        gives: [200],
        isRepeatable: true,
      },
      options,
    );
  }

  actOnProposal(body, options = {}) {
    return this.ask(
      {
        method: "POST",
        path: "/v1/proposals",
        gives: [200],
        body,
        ids: { ...body },
      },
      options,
    );
  }

  findProposal(name, options = {}) {
    return this.ask(
      {
        method: "GET",
        path: `/v1/proposals/${segment(name)}`,
        gives: [200],
        ids: { name: name },
        isRepeatable: true,
      },
      options,
    );
  }

  answerCall(call, body, options = {}) {
    return this.ask(
      {
        method: "POST",
        path: `/v1/signals/${segment(call)}`,
        gives: [204],
        body,
        ids: { call: call, ...body },
        isRepeatable: true,
      },
      options,
    );
  }

  describe(options = {}) {
    return this.ask(
      {
        method: "GET",
        path: "/openapi.json",
        gives: [200],
        isRepeatable: true,
      },
      options,
    );
  }
}
