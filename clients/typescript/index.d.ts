// Made by generate.py from the OpenAPI document of the service. Change that, and make this again.
import { Exchange } from "./exchange.js";
import type { AskOptions } from "./exchange.js";
export { AdjudgeError, ProblemError, ServiceMismatch, ServiceUnavailable, newMerchantBizId } from "./exchange.js";
export type { AskOptions, ClientOptions } from "./exchange.js";

/** The codes of all problems. A later version may have more. */
export type ProblemCode =
  | "answered-otherwise"
  | "audit-broken"
  | "audit-unavailable"
  | "body-too-large"
  | "body-too-slow"
  | "fault"
  | "head-too-large"
  | "host"
  | "log-in-use"
  | "malformed-http"
  | "media-type"
  | "merchant-biz-id-conflict"
  | "no-decision"
  | "no-policy"
  | "not-allowed"
  | "nothing-read"
  | "overloaded"
  | "overtaken"
  | "rate-limited"
  | "request"
  | "service-unavailable"
  | "unauthenticated"
  | "unknown-call";

/** One thing that was done with a proposal. */
export interface Act {
  /** The number of an act on a proposal, from 1. */
  step: number;
  /** What was done. */
  act: "made" | "commented" | "sent_back" | "approved" | "activated" | "withdrawn";
  /** A person, or the name of a key. */
  by: string;
  /** A time with its zone. */
  at: string;
  /** A few words. */
  reason?: string;
  /** The SHA-256 of the version that it is about. */
  digest?: string;
  /** How it was activated. */
  how?: string | null;
  /** Of a canary. */
  share?: number | null;
}

/** What was counted of one arm. */
export interface Arm {
  /** Counted: of a shadow, each decision; else the newest of each id. */
  decisions: number;
  /**
   * Of a canary, a hold-out and the champion: `pass`, `review`, `reject`, `unknown` for what is not settled, and
   * `errors` where a signal had failed. Of a shadow, against the answer: `agree`, `harder`, `softer`,
   * `undetermined`, and `errors`.
   */
  shares: Record<string, Share>;
}

/** By which version of the policy a decision was made, while a rollout ran. */
export interface ArmOfDecision {
  /** The rollout's name. */
  rollout: string;
  /** Of its record that was in force. */
  number: number;
  /** The arm. */
  name: "canary" | "champion" | "hold-out" | "shadow";
}

/** A signal whose answer comes later and could change the verdict. */
export interface Awaited {
  /** Its name in the policy. */
  signal: string;
  /** What the log knows a call by. */
  call: string | null;
  /** By when the answer counts. */
  until: string | null;
}

/** What became of one line: it has a decision or a problem. */
export interface BatchLine {
  /** The number of the line in the body, from 1. */
  line: number;
  /** Of the request; null where the line does not say one. */
  merchant_biz_id?: string | null;
  decision?: Decision | null;
  problem?: Problem | null;
  /** True where a batch ended early: this line is its last, and what follows was not decided. */
  ended?: boolean;
}

/** What the checks of a version came to. */
export interface Checks {
  /** Mistakes that load. */
  findings?: Array<Found>;
  /** Findings that are not shown. */
  more?: number;
  /** None where no tests were given. */
  tests?: Tests | null;
  /** None where nothing could be proved. */
  comparison?: Comparison | null;
  /** Why nothing could be proved. */
  missing?: string;
}

/** What was proved of a version against the one that it was made from. */
export interface Comparison {
  /** What it is to it. */
  relation: "same" | "stricter" | "laxer" | "both" | "not proved";
  /** Where they differ. */
  regions?: Array<Region>;
  /** What was not settled. */
  open?: Array<string>;
  /** What is written differently. */
  changes?: Array<string>;
  /** Whether they differ elsewhere too. */
  more?: boolean;
}

/** The answer to a request, as it was recorded. A later version may say more. */
export interface Decision {
  /** The id of a decision: 32 lower-case hex digits. */
  decision_id: string;
  /** The caller's id of one check: 32 letters or digits. The same id with the same request has the same answer. */
  merchant_biz_id: string;
  /**
   * `fresh` where it was decided now; `duplicate` where it is the answer that the MerchantBizId had already;
   * `supersedes` where it takes the place of an earlier answer.
   */
  status: "duplicate" | "fresh" | "supersedes";
  /** What is to happen. */
  outcome: Outcome;
  /** The mildest outcome that what is unknown could have led to. */
  lower: Outcome;
  /** The most severe outcome that what is unknown could have led to. */
  upper: Outcome;
  /** Whether nothing that is unknown could change the verdict: `lower` equals `upper`. */
  settled: boolean;
  /** Codes of the rules that decided. */
  reasons: Array<string>;
  /** Those of `reasons` that could only not be ruled out. */
  doubts: Array<string>;
  /** Ids of the rules that are true. */
  matched: Array<string>;
  /** Ids of the rules of which it is unknown whether they are true. */
  unresolved: Array<string>;
  /** What was unknown and would have been needed. */
  missing: Array<string>;
  /** The scorecard's total; none without a scorecard. */
  score: [number, number] | null;
  /** The totals of scorecards that have names. */
  scores: Record<string, [number, number]>;
  /** What in doubt would have made the outcome worse, but for a waiver. */
  waived: Array<string>;
  /** What does not count because an excuse is true. */
  excused: Array<string>;
  /** The steps to ask for next. */
  ask: Array<string>;
  /** Values that were not taken. */
  problems: Array<FieldProblem>;
  /** False where a person has to confirm the outcome. */
  final: boolean;
  sampled: Sampled | null;
  /** The name of the policy that decided. */
  policy: string;
  /** The SHA-256 of the policy. */
  policy_digest: string;
  /** The keyed digest of the request: another request of the same id has another. */
  fingerprint: string;
  /** A time with its zone. */
  decided_at: string;
  /** By their names in the policy. */
  signals: Record<string, Signal>;
  /** The decision whose place this one takes. */
  supersedes: string | null;
  /** How long it took to decide. */
  duration_ms: number;
  /** What the calls cost, by currency. */
  cost: Record<string, string>;
  /** Why the picture should be taken again, as an instruction to show. */
  capture_again: string | null;
  /** The code of that reason. */
  capture_reason: string | null;
  /** What went otherwise than usual, for a person to read. */
  notes: Array<string>;
  reviewed?: Reviewed | null;
  arm?: ArmOfDecision | null;
  /** What comes later; the decision is superseded then. */
  awaits?: Array<Awaited>;
}

/** Decisions that were found, the newest first. */
export interface Decisions {
  decisions: Array<Decision>;
  /** What to give as `cursor` for the decisions after these, of which there may be none; null at the end. */
  next: string | null;
}

/** What an erasure did. */
export interface Erased {
  /** How many personal values were erased. */
  erased: number;
}

/** Why a subject is to be erased, and who asks for it. */
export interface Erasure {
  /** A few words. */
  reason?: string;
  /** Who asks for it, where that is not the caller. */
  by?: string | null;
}

/** Why a decision came out so. For `team`, it says more: each rule and row, and what of it was true or unknown. */
export interface Explanation {
  /** The id of a decision: 32 lower-case hex digits. */
  decision_id: string;
  /** The name of a policy. */
  policy: string;
  /** The SHA-256 of the policy. */
  policy_digest: string;
  /** Personal values that are kept no more, and are unknown here. */
  erased: Array<string>;
  outcome: Outcome;
  /** Why, as `text` in the locale; for `team`, by their codes. */
  reasons: Array<Record<string, unknown>>;
  /** The fewest changes that would have softened it, or why none can be told. */
  changes: unknown;
}

/** A picture or video of a face: its bytes, its URL, or, on the command line alone, `file`: its path. */
export interface Face {
  /** The picture or video as plain Base64, without a `data:` prefix. */
  base64?: string | null;
  /** A public http or https URL, which the provider fetches; adjudge itself does not. */
  url?: string | null;
  /** Found from the content of `base64` unless given; `image` for a URL. */
  type?: "image" | "video" | null;
}

/** A value that was not taken, so that its field was unknown. */
export interface FieldProblem {
  /** The full name of the field. */
  field: string;
  /** What is wrong with the value. */
  problem: string;
  /** What has no room for the value: the log, or the policy. */
  by: "log" | "policy";
}

/** A request and its face as a form of two parts. */
export interface Form {
  /** The request, in JSON, without `face`. */
  request: Request;
  /** The picture or video as it is; its kind is found from the content. */
  face?: string;
}

/** What `adjudge check` finds in a version. */
export interface Found {
  /** Of the finding. */
  code: string;
  /** How much it matters. */
  severity: "warning" | "note";
  /** What it is. */
  message: string;
  /** Of the policy's text. */
  line: number;
}

/** That the process lives. */
export interface Health {
  /** Always `ok`: a process that does not live answers nothing. */
  status: "ok";
}

/** What was found out about a decision. */
export interface Label {
  /** The id of a decision: 32 lower-case hex digits. */
  decision_id: string;
  /** The caller's id of one check: 32 letters or digits. The same id with the same request has the same answer. */
  merchant_biz_id: string;
  /** What it turned out to be. The newest label of a decision counts. */
  label: "fraud" | "genuine";
  /** Who says so. */
  source: string;
  /** The day on which it was found, not in the future; today in UTC unless given. */
  found_on?: string | null;
  /** A few words. */
  note?: string;
  /** Who says so, where that is not the caller. */
  by?: string | null;
}

/** What one person decided. */
export interface Look {
  /** A time with its zone. */
  at: string;
  /** A person, or the name of a key. */
  by: string;
  /** What is to happen. */
  outcome: "pass" | "reject";
  /** The code of why. */
  reason: string;
}

/** What somebody wrote beside a review. */
export interface Note {
  /** A time with its zone. */
  at: string;
  /** A person, or the name of a key. */
  by: string;
  /** A few words. */
  note: string;
}

/** What is to happen: pass < review < reject. Compare and `max` go by severity, never by letters. */
export type Outcome = "pass" | "reject" | "review";

/** The policies that answer now. */
export interface Policies {
  policies: Array<Policy>;
}

/** A policy that answers now. */
export interface Policy {
  /** The name of a policy. */
  name: string;
  /** The SHA-256 of the policy and its files, which decisions have as `policy_digest`. */
  digest: string;
  /** When this process began to answer with it. */
  since: string;
  /** The scenes that it answers without being named. */
  scenes: Array<string>;
  /** How many rules it has, thresholds and rows of tables among them. */
  rules: number;
  /** The names of its signals. */
  signals: Array<string>;
  /** Files of lists, and of other policies that it includes. */
  files: Array<string>;
  /** The policy as it was loaded, where one policy is asked for. */
  text?: string;
}

/** Why a request was not answered (RFC 9457). */
export interface Problem {
  /** `/problems/` and the code. */
  type: string;
  /** The same for all problems of a code. */
  title: string;
  /** The status of the answer. */
  status: number;
  /** What a program goes by: a code never changes its meaning. */
  code: ProblemCode;
  /** What is wrong in this one case. */
  detail: string;
  /** The part of the request. */
  where?: string | null;
  /** The way out. */
  hint?: string | null;
  /** Seconds after which to ask again. */
  retry_after_s?: number | null;
  /** What the service's events call this request. */
  request_id?: string | null;
}

/** What is to be done with a proposal. */
export interface ProposalCommand {
  /** What to do. */
  action: "make" | "comment" | "approve" | "send-back" | "activate" | "roll-back" | "withdraw";
  /** Which one; a new one is called by the next whole number unless named. */
  name?: string | null;
  /** The last act that whoever asks has seen: where there are later ones, nothing is done. */
  seen?: number | null;
  /** To make one: the policy. Left out to make a version again from what answers by now. */
  text?: string | null;
  /** To make one: the files that the policy reads, by the paths in it. */
  lists?: Record<string, string>;
  /** To make one: files of tests, by their names. */
  tests?: Record<string, string>;
  /** To activate it: for all requests, or a share of them. */
  how?: string | null;
  /** To activate it as a canary. */
  share?: number | null;
  /** Why, or the comment. */
  reason?: string;
  /** Who asks for it, where that is not the caller. */
  by?: string | null;
}

/** How a proposal stands. */
export interface Proposal {
  /** The proposal's name: 1 to 32 letters, digits, `_` and `-`. */
  name: string;
  /** The name of a policy. */
  policy: string;
  /** How it stands. */
  status: "open" | "sent_back" | "approved" | "activated" | "rolled_back" | "withdrawn";
  /** The number of its last act. */
  step: number;
  /** How many versions of it were made. */
  versions: number;
  /** The SHA-256 of its newest version. */
  digest: string;
  /** The SHA-256 of the version that it was made from. */
  base: string;
  /** Who made the newest version. */
  by: string;
  /** A time with its zone. */
  at: string;
  /** A few words. */
  reason: string;
  /** Whether another version answers by now than it was made from, so that it has to be made again. */
  stale: boolean;
  /** Whether its newest version answers now, a canary's share apart. */
  live: boolean;
  /** Whether nobody may approve a proposal of which they made a version. */
  four_eyes: boolean;
  /** Who approved the newest version. */
  approved_by: Array<string>;
  /** All that was done with it, in order. */
  acts: Array<Act>;
  /** The rollout by which it is activated; empty before. */
  rollout: string;
  /** How that rollout stands. */
  rollout_status: "" | "running" | "promoted" | "ended";
  /** What the checks of the newest version came to. */
  checks: Checks | null;
  /** The policy; only where one proposal is asked for. */
  text?: string | null;
  /** What is written differently, likewise. */
  diff?: string | null;
}

/** All proposals, by name. */
export interface Proposals {
  proposals: Array<Proposal>;
}

/** How a canary stands against one guard rail. */
export interface Rail {
  /** What it looks at. */
  name: string;
  /** Times the champion's share that are fine. */
  limit: number;
  /** Such decisions of the canary while there was a champion beside it. */
  canary: number;
  /** Such decisions of the champion. */
  champion: number;
  /** Of the evidence that it needs to act. */
  near: number;
  /** Whether the canary has to fall back. */
  acts: boolean;
}

/** Whether requests are taken. */
export interface Readiness {
  /** Whether requests are taken. */
  ready: boolean;
  /** How many requests are being decided. */
  in_flight: number;
  /** What is in the way; empty where requests are taken. */
  reasons?: Array<Reason>;
  /** What else is not as it should be, although requests are taken. */
  notes?: Record<string, string>;
}

/** What is in the way of taking requests. */
export interface Reason {
  /** What is not ready: `ledger`, or `service` where it is stopping. */
  part: string;
  /** As of a problem document. */
  code: string;
  /** Why, for a person to read. */
  detail: string;
}

/** Where a version differs from the one that it was made from. */
export interface Region {
  /** The outcome before. */
  old: string;
  /** The outcome of this version. */
  new: string;
  /** What makes the difference. */
  cause: string;
  /** An input that shows it. */
  witness: string;
}

/** One check to be decided. A member that is `null` is as one that is left out. */
export interface Request {
  /** The caller's id of one check: 32 letters or digits. The same id with the same request has the same answer. */
  merchant_biz_id: string;
  /** The scene of the check: 1 to 10 letters, digits or `_`. */
  scene_code: string;
  /** The name of a policy, where the engine holds several. */
  policy?: string | null;
  face?: Face | null;
  /** Values by the names that the policy declares. What is left out is unknown. */
  inputs?: Record<string, unknown> | null;
  /** Signals that the caller has already: values by field, by the names that the policy declares. */
  signals?: Record<string, Record<string, unknown> | null> | null;
  /**
   * What the check is a part of: 1 to 128 printable characters without blanks. Each try has a MerchantBizId of its
   * own, and the application stays.
   */
  application_id?: string | null;
  /** Which try this is, from 1. */
  attempts?: number | null;
}

/** What is to be done with a review. */
export interface ReviewCommand {
  /** What to do. */
  action: "claim" | "note" | "release" | "decide";
  /** The id of a decision: 32 lower-case hex digits. */
  decision_id: string;
  /** To decide: what is to happen. */
  outcome?: string | null;
  /** To decide: the code of why. */
  reason?: string;
  /** A few words. */
  note?: string;
  /** Who does it, where that is not the caller. */
  by?: string | null;
}

/** How a review stands. */
export interface Review {
  /** The id of a decision: 32 lower-case hex digits. */
  decision_id: string;
  /** The caller's id of one check: 32 letters or digits. The same id with the same request has the same answer. */
  merchant_biz_id: string;
  /** The name of a policy. */
  policy: string;
  /** A time with its zone. */
  decided_at: string;
  /** When a person is to have decided. */
  due: string;
  /** What the policy came to: `reject` where a person has to confirm it. */
  outcome: string;
  /** Why a person is to look: reason codes. */
  reasons: Array<string>;
  /** How it stands; `second` waits for another person. */
  status: "open" | "claimed" | "second" | "decided";
  /** Who has claimed it. */
  holder?: string | null;
  /** When that claim lapses. */
  until?: string | null;
  notes?: Array<Note>;
  /** What was decided; hidden while a second person is to look. */
  first?: Look | null;
  /** What a second person decided, without being told of the first. */
  second?: Look | null;
  /** The decision that took its place. */
  decision?: string | null;
  /** Whether both decided the same. */
  agrees?: boolean | null;
}

/** That a person has decided. Who it was, the log says. */
export interface Reviewed {
  /** The code of why. */
  reason: string;
  /** When the policy was evaluated. */
  judged_at: string;
  /** The policy's verdict. */
  instead_of: Outcome;
}

/** What waits for a person, the oldest first. */
export interface Reviews {
  reviews: Array<Review>;
  /** Decisions before this were not looked for. */
  since: string;
  /** Whether all since then were looked at; there may be older ones otherwise. */
  complete: boolean;
}

/** What is to be done with a rollout. */
export interface RolloutCommand {
  /** What to do. */
  action: "start" | "ramp" | "promote" | "abort";
  /** The rollout's name: 1 to 48 letters, digits, `.`, `_` and `-`. */
  name: string;
  /** To start: who decides. A `shadow` only watches. */
  mode?: string | null;
  /** To start: the version, by its name in the configuration. */
  candidate?: string | null;
  /** To start a canary or a hold-out, and to ramp it. */
  share?: number | null;
  /** A few words. */
  reason?: string;
  /** Who asks for it, where that is not the caller. */
  by?: string | null;
}

/** How a rollout stands. */
export interface Rollout {
  /** The rollout's name: 1 to 48 letters, digits, `.`, `_` and `-`. */
  name: string;
  /** Who decides. */
  mode: "shadow" | "canary" | "hold-out";
  /** Whether it runs. */
  status: "running" | "promoted" | "ended";
  /** The policy, as callers know it. */
  policy: string;
  /** The other version, by its name in the configuration. */
  candidate: string;
  /** The SHA-256 of that version. */
  digest: string;
  /** The SHA-256 of the version that answered when it was started. */
  champion: string;
  /** Of all MerchantBizIds, above 0 and up to 1. */
  share: number;
  /** Of its newest record. */
  number: number;
  /** What was done last. */
  action: "start" | "ramp" | "promote" | "abort" | "fall-back";
  /** A time with its zone. */
  at: string;
  /** A person, or the name of a key. */
  by: string;
  /** A few words. */
  reason: string;
  /** What was counted, by arm. */
  arms: Record<string, Arm>;
  /** The guard rails of a canary that runs. */
  rails: Array<Rail>;
  /** Decisions of the canary before a guard rail acts. */
  enough?: number | null;
}

/** All rollouts, by name. */
export interface Rollouts {
  rollouts: Array<Rollout>;
}

/** That a decision was drawn for a person to look at, although the policy's verdict is softer. */
export interface Sampled {
  /** The policy's code for it. */
  reason: string;
  /** Of such verdicts that are drawn. */
  share: number;
  /** The policy's verdict. */
  instead_of: Outcome;
}

/** How many of an arm's decisions came out in one way. The bounds hold at every look, together, in 95% of cases. */
export interface Share {
  /** Decisions. */
  count: number;
  /** Of the arm's decisions; none where there are none. */
  share: number | null;
  /** The lowest share that is likely. */
  low: number;
  /** The highest share that is likely. */
  high: number;
}

/** How asking for a signal went. What it said of a person is not in a document. */
export interface Signal {
  /** All but `ok` leaves the signal's fields unknown. */
  status: SignalStatus;
  /** Who was asked; none where the caller supplied the signal. */
  provider: string | null;
  /** The provider's version of the answer. */
  version: string | null;
  /** For all but `ok`, why, in a few words. */
  reason: string | null;
  /** The provider's code for it. */
  reason_code: string | null;
  /** Why the picture should be taken again, as an instruction to show. */
  capture_again: string | null;
  /** The provider's id of the call. */
  request_id: string | null;
  /** How long it took. */
  duration_ms: number;
  /** How often it was tried. */
  attempts: number;
  /** What the calls cost, in `currency`. */
  price: string;
  /** Of the price. */
  currency: string | null;
  /** Whether a retry does not ask for it again. */
  is_final: boolean;
  problems: Array<FieldProblem>;
  /** The call whose answer comes later, or came later. */
  call?: string | null;
  /** By when a later answer counts. */
  until?: string | null;
}

/** How asking for a signal ended. Everything but `ok` leaves its fields unknown. */
export type SignalStatus = "error" | "not_provided" | "ok" | "pending" | "skipped" | "timeout" | "unavailable";

/** How the tests came out that were given with a version. */
export interface Tests {
  /** Tests. */
  passed: number;
  /** Tests. */
  failed: number;
  /** The first that failed, and in what. */
  failures?: Array<string>;
}

/** Asks a service. */
export class Client extends Exchange {
  /**
   * Decide a request, or give the answer that its MerchantBizId has already.
   * @param options.anew Whether to decide again although there is an answer, which is superseded then.
   * @param options.deadlineMs Milliseconds for gathering signals; what is late is unknown.
   */
  decide(body: Request, options?: AskOptions & { anew?: boolean; deadlineMs?: number }): Promise<Decision>;

  /**
   * Search past decisions, newest first, a page at a time.
   * @param options.merchant_biz_id The check.
   * @param options.outcome What was to happen.
   * @param options.policy The name of the policy that decided.
   * @param options.rule A rule that is true.
   * @param options.reason A code of the rules that decided.
   * @param options.missing A field or signal that was unknown and would have been needed.
   * @param options.tag A tag of a rule that is true.
   * @param options.waiver A rule that was in doubt, and that the policy let pass.
   * @param options.unknown A signal that was wanted and did not answer.
   * @param options.since When it was decided, at the earliest.
   * @param options.until Before when it was decided.
   * @param options.limit Decisions on a page; 50 unless given.
   * @param options.cursor The `next` of the page before, of the same search.
   */
  search(options?: AskOptions & { merchant_biz_id?: string; outcome?: Outcome; policy?: string; rule?: string; reason?: string; missing?: string; tag?: string; waiver?: string; unknown?: string; since?: string; until?: string; limit?: number; cursor?: string }): Promise<Decisions>;

  /**
   * Find the decision of an id.
   * @param decision_id The decision.
   */
  findOne(decisionId: string, options?: AskOptions): Promise<Decision | null>;

  /**
   * Say why a decision came out so, and what would have changed it.
   * @param decision_id The decision.
   * @param options.locale Of the policy's texts; `en` unless given.
   * @param options.audience Who it is for; `applicant` says only what an applicant may be told.
   */
  explain(decisionId: string, options?: AskOptions & { locale?: string; audience?: "applicant" | "team" }): Promise<Explanation | null>;

  /** Say what was found out about a decision. */
  label(body: Label, options?: AskOptions): Promise<void>;

  /**
   * Erase the personal values of a MerchantBizId; its decision stays.
   * @param merchant_biz_id The check whose subject it is.
   */
  erase(merchantBizId: string, body?: Erasure, options?: AskOptions): Promise<Erased>;

  /** List the policies that answer now. */
  listPolicies(options?: AskOptions): Promise<Policies>;

  /**
   * Find a policy that answers now, with its text.
   * @param name The policy.
   */
  findPolicy(name: string, options?: AskOptions): Promise<Policy | null>;

  /** Whether the process lives. */
  health(options?: AskOptions): Promise<Health>;

  /** Whether requests are taken, and what is in the way. */
  ready(options?: AskOptions): Promise<Readiness>;

  /** What is counted of requests, decisions and providers, for Prometheus. */
  metrics(options?: AskOptions): Promise<string>;

  /**
   * Say what waits for a person, the oldest first.
   * @param options.status How it stands; `due` is what is late. All that waits unless given.
   * @param options.policy The name of the policy that decided.
   * @param options.reason A code of the rules that decided.
   * @param options.holder Who has claimed it.
   * @param options.since When it was decided, at the earliest; 14 days ago unless given.
   * @param options.limit Reviews at most; 100 unless given.
   */
  listReviews(options?: AskOptions & { status?: "claimed" | "decided" | "due" | "open" | "second"; policy?: string; reason?: string; holder?: string; since?: string; limit?: number }): Promise<Reviews>;

  /** Claim a review, note something, give it back, or decide. */
  review(body: ReviewCommand, options?: AskOptions): Promise<Review>;

  /**
   * Say how the review of a decision stands.
   * @param decision_id The decision.
   */
  findReview(decisionId: string, options?: AskOptions): Promise<Review>;

  /** Say how rollouts stand. */
  look(options?: AskOptions): Promise<Rollouts>;

  /** Start, ramp, promote or abort a rollout. */
  do(body: RolloutCommand, options?: AskOptions): Promise<Rollout>;

  /** Say how proposals stand. */
  listProposals(options?: AskOptions): Promise<Proposals>;

  /** Make, comment, approve, send back, activate, roll back or withdraw a proposal. */
  actOnProposal(body: ProposalCommand, options?: AskOptions): Promise<Proposal>;

  /**
   * Find a proposal, with its text.
   * @param name The proposal.
   */
  findProposal(name: string, options?: AskOptions): Promise<Proposal>;

  /**
   * Give the answer to a call of a provider that answers later.
   * @param call What the provider was given when it was called.
   */
  answerCall(call: string, body: Record<string, unknown>, options?: AskOptions): Promise<void>;

  /** Describe the service: this document. */
  describe(options?: AskOptions): Promise<Record<string, unknown>>;
}
