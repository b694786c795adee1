// One question to a service and its answer: bounded in time and size, tried again where that is safe.

const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
const ANSWER_WITHIN_MS = 60_000;
/** More than any service allows for gathering signals. */
const DEADLINE_MAX_MS = 86_400_000;
const TRIES = 3;
/** Before the second try, at most; each further one waits twice as long. */
const WAIT_MS = 100;
const OF_PROXIES = [502, 503, 504];
const PROBLEM = "application/problem+json";
const IDS = ["merchant_biz_id", "decision_id"];
/** Codes of errors after which no request can have been sent. */
const UNSENT = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

export class AdjudgeError extends Error {
  /** @param {string} code @param {string} message @param {{cause?: unknown}} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

export class ProblemError extends AdjudgeError {
  /** @param {import("./index.js").Problem} problem */
  constructor(problem) {
    super(problem.code, problem.detail);
    this.problem = problem;
  }
}

export class ServiceUnavailable extends AdjudgeError {
  /** @param {string} message @param {{cause?: unknown}} [options] */
  constructor(message, options) {
    super("service-unavailable", message, options);
  }
}

export class ServiceMismatch extends AdjudgeError {
  /** @param {string} message */
  constructor(message) {
    super("service-mismatch", message);
  }
}

export function newMerchantBizId() {
  return crypto.randomUUID().replaceAll("-", "");
}

export class Exchange {
  #url;
  #key;
  #withinMs;
  #fetch;

  /** @param {string} url @param {import("./exchange.js").ClientOptions} [options] */
  constructor(url, options = {}) {
    const parts = new URL(url);
    if (!["http:", "https:"].includes(parts.protocol)) throw new TypeError("the URL of a service begins with http: or https:");
    if (parts.username || parts.password || parts.search || parts.hash) {
      throw new TypeError("the URL of a service has no user, password, query or fragment");
    }
    this.#url = parts.origin + parts.pathname.replace(/\/+$/, "");
    this.#key = options.key;
    this.#withinMs = options.answerWithinMs ?? ANSWER_WITHIN_MS;
    this.#fetch = options.fetch ?? ((/** @type {string} */ to, /** @type {RequestInit} */ how) => fetch(to, how));
  }

  /**
   * @param {import("./exchange.js").Question} question
   * @param {import("./exchange.js").AskOptions} [options]
   * @returns {Promise<any>}
   */
  async ask(question, options = {}) {
    const begun = performance.now();
    const withinMs = this.#withinMs + Math.min(question.deadlineMs ?? 0, DEADLINE_MAX_MS);
    const timeout = AbortSignal.timeout(withinMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const body = question.body === undefined ? undefined : JSON.stringify(question.body);
    const late = () => new ServiceUnavailable(`the service at ${this.#url} gave no answer within ${withinMs} ms`);
    for (let left = TRIES - 1, waitMs = WAIT_MS; ; left--, waitMs *= 2) {
      options.signal?.throwIfAborted();
      const key = await this.#keyWithin(signal).catch((error) => {
        throw timeout.aborted && error === timeout.reason ? late() : error;
      });
      const [url, how] = this.#request(question, options, key, performance.now() - begun);
      try {
        const response = await this.#fetch(url, body === undefined ? { ...how, signal } : { ...how, signal, body });
        return this.#answer(question, response, await this.#text(response));
      } catch (error) {
        if (error instanceof AdjudgeError) throw error;
        if (options.signal?.aborted) throw options.signal.reason;
        if (timeout.aborted) throw late();
        if (left === 0 || !(question.isRepeatable || isUnsent(error))) {
          throw new ServiceUnavailable(`the connection to the service at ${this.#url} failed`, { cause: error });
        }
      }
      await sleep(waitMs * (0.5 + Math.random() / 2));
    }
  }

  /**
   * The key, from whoever has it: what goes wrong there is that one's, and it is waited for no longer than the answer.
   * @param {AbortSignal} signal
   * @returns {Promise<string | undefined>}
   */
  async #keyWithin(signal) {
    if (typeof this.#key !== "function") return this.#key;
    const given = this.#key;
    return new Promise((done, fail) => {
      const end = () => fail(signal.reason);
      if (signal.aborted) return end();
      signal.addEventListener("abort", end, { once: true });
      new Promise((found) => found(given())).then(done, fail).finally(() => signal.removeEventListener("abort", end));
    });
  }

  /**
   * Where to ask, and how. Throws TypeError for what cannot be said in a header.
   * @param {import("./exchange.js").Question} question
   * @param {import("./exchange.js").AskOptions} options
   * @param {string | undefined} key
   * @param {number} passedMs
   * @returns {[string, RequestInit]}
   */
  #request(question, options, key, passedMs) {
    const url = new URL(this.#url + question.path);
    for (const [name, value] of Object.entries(question.query ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined) url.searchParams.append(name, String(one));
      }
    }
    const headers = new Headers({ accept: `application/json, ${PROBLEM}`, "accept-encoding": "identity" });
    if (key !== undefined) {
      if (!/^[\x21-\x7e]+$/.test(key)) throw new TypeError("the key has a character that no key has"); // and is not shown
      headers.set("authorization", `Bearer ${key}`);
    }
    if (question.body !== undefined) headers.set("content-type", "application/json");
    if (options.requestId !== undefined) headers.set("x-request-id", options.requestId);
    if (question.deadlineMs !== undefined) {
      const leftMs = Math.round(Math.min(question.deadlineMs, DEADLINE_MAX_MS) - passedMs);
      headers.set("x-deadline-ms", String(Math.max(1, leftMs)));
    }
    return [url.href, { method: question.method, headers, redirect: "manual" }];
  }

  /** @param {Response} response */
  async #text(response) {
    const reader = response.body?.getReader();
    if (reader === undefined) return "";
    const decoder = new TextDecoder();
    let text = "";
    for (let size = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      size += value.byteLength;
      if (size > ANSWER_MAX_BYTES) {
        await reader.cancel();
        throw this.#mismatch(`answered with more than ${ANSWER_MAX_BYTES / 2 ** 20} MiB`);
      }
      text += decoder.decode(value, { stream: true });
    }
  }

  /**
   * @param {import("./exchange.js").Question} question
   * @param {Response} response
   * @param {string} text
   */
  #answer(question, response, text) {
    const [kind = ""] = (response.headers.get("content-type") ?? "").split(";");
    if (kind.trim().toLowerCase() === PROBLEM) {
      const problem = this.#parsed(text);
      if (typeof problem?.code !== "string" || problem.status !== response.status) throw this.#mismatch("answered with no problem");
      if (question.absent?.includes(problem.code)) return null;
      throw new ProblemError(problem);
    }
    if (!question.gives.includes(response.status)) {
      if (OF_PROXIES.includes(response.status)) {
        throw new ServiceUnavailable(`what stands before the service at ${this.#url} answered with status ${response.status}`);
      }
      throw this.#mismatch(`answered with status ${response.status}`);
    }
    if (question.isText) return text;
    if (text === "") return undefined;
    const answer = this.#parsed(text);
    for (const id of IDS) {
      const asked = question.ids?.[id];
      if (typeof asked === "string" && typeof answer?.[id] === "string" && answer[id] !== asked) {
        throw this.#mismatch("gave the answer to another request");
      }
    }
    return answer;
  }

  /** @param {string} text @returns {any} */
  #parsed(text) {
    try {
      return JSON.parse(text);
    } catch {
      throw this.#mismatch("answered with what is not JSON");
    }
  }

  /** @param {string} did */
  #mismatch(did) {
    return new ServiceMismatch(`what is at ${this.#url} is no service of this version: it ${did}`);
  }
}

/**
 * Returns a part of a path. An id is none that would lead to another path.
 * @param {string} id
 */
export function segment(id) {
  if (typeof id !== "string" || ["", ".", ".."].includes(id)) throw new TypeError(`\`${id}\` is no id`);
  return encodeURIComponent(id);
}

/**
 * Whether no request can have been sent, so that asking again does no harm. A browser does not tell.
 * @param {any} error
 * @returns {boolean}
 */
function isUnsent(error) {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError && error.errors.length) return error.errors.every(isUnsent);
  return UNSENT.has(/** @type {any} */ (error).code) || isUnsent(error.cause);
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((done) => setTimeout(done, ms));
}
