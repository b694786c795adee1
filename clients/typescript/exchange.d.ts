import type { Problem } from "./index.js";

/** Whatever this package raises on purpose. */
export class AdjudgeError extends Error {
  /** What a program goes by: a code never changes its meaning. */
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown });
}

/** The service answered with a problem document. */
export class ProblemError extends AdjudgeError {
  readonly problem: Problem;
  constructor(problem: Problem);
}

/**
 * The service is not there, hangs, or broke off its answer. What it did is not known: asking for a decision again with
 * the same `merchant_biz_id` is safe, and brings the decision if there is one.
 */
export class ServiceUnavailable extends AdjudgeError {
  constructor(message: string, options?: { cause?: unknown });
}

/** What answers is no service of this version. */
export class ServiceMismatch extends AdjudgeError {
  constructor(message: string);
}

/** Returns a new random id for a check. Keep it with the check, and send it again when you ask again. */
export function newMerchantBizId(): string;

/** Returns a part of a path. Throws a TypeError for an id that would lead to another path. */
export function segment(id: string): string;

export interface ClientOptions {
  /** A key or a token, or what returns one: it is called for each request, so that a key can be rotated. */
  key?: string | (() => string | Promise<string>);
  /** Milliseconds for one call in all, beyond its `deadlineMs`; 60,000 unless given. */
  answerWithinMs?: number;
  /** In place of the platform's own, such as one with a proxy. */
  fetch?: (url: string, how: RequestInit) => Promise<Response>;
}

export interface AskOptions {
  /** Gives up: the call rejects with the signal's reason. What the service did is not known then. */
  signal?: AbortSignal;
  /** What the service's events call this request: 1 to 128 printable characters without blanks. */
  requestId?: string;
}

export interface Question {
  method: string;
  path: string;
  gives: number[];
  query?: Record<string, unknown>;
  body?: unknown;
  ids?: Record<string, unknown>;
  absent?: string[];
  isRepeatable?: boolean;
  isText?: boolean;
  deadlineMs?: number | undefined;
}

export class Exchange {
  /** url: `http://HOST:PORT` or `https://HOST`, with a path where a proxy has the service under one. */
  constructor(url: string, options?: ClientOptions);
  /** Asks what no method of the client asks. */
  ask(question: Question, options?: AskOptions): Promise<any>;
}
