"""`policy.evaluate` against straight Python, zen-engine and Google's CEL: the same rules, the same answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from adjudge import Policy, parse_policy
from benchmarks.timing import per_call_us
from benchmarks.workload import TAGS, Workload, straight_python, workload

Decide = Callable[[dict[str, Any]], Any]


def ours(work: Workload) -> tuple[Policy, Decide]:
    """The policy, and its evaluation with all that a caller reads of a verdict."""
    policy = parse_policy(work.policy)

    evaluate = policy.evaluate

    def decide(given: dict[str, Any]) -> int:
        verdict = evaluate(given)
        return verdict.outcome.severity

    return policy, decide


def zen_forms(work: Workload) -> Iterator[tuple[str, Decide]]:
    """zen-engine as one compiled expression for all rules, and as a decision table that collects."""
    import zen

    def translated(text: str) -> str:
        return text.replace("&&", "and").replace("||", "or").replace("!(", "not (")

    tests = ", ".join(f"({translated(text)}) ? {outcome} : 0" for text, outcome in work.rules)
    compiled = zen.compile_expression(f"max([{tests}])")
    yield "expression", lambda given: int(compiled.evaluate(given))

    rows = [
        {"_id": f"r{at}", "i": translated(text), "o": str(outcome)} for at, (text, outcome) in enumerate(work.rules)
    ]
    rows.append({"_id": "else", "i": "true", "o": "0"})
    table = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
            {
                "id": "table",
                "type": "decisionTableNode",
                "name": "table",
                "position": {"x": 0, "y": 0},
                "content": {
                    "hitPolicy": "collect",
                    "inputs": [{"id": "i", "name": "when"}],
                    "outputs": [{"id": "o", "name": "outcome", "field": "outcome"}],
                    "rules": rows,
                },
            },
            {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 0, "y": 0}},
        ],
        "edges": [
            {"id": "e1", "type": "edge", "sourceId": "in", "targetId": "table"},
            {"id": "e2", "type": "edge", "sourceId": "table", "targetId": "out"},
        ],
    }
    decision = zen.ZenEngine().create_decision(json.dumps(table))
    yield "table", lambda given: max(hit["outcome"] for hit in decision.evaluate(given)["result"])


def cel_forms(work: Workload) -> Iterator[tuple[str, Decide]]:
    """Google's CEL as one expression for all rules, and as one for each; both over flat, typed variables."""
    from cel_expr_python import cel

    kinds = {"country": cel.Type.STRING, "deepfake.result": cel.Type.STRING, "device.emulator": cel.Type.BOOL}
    numbers = ("document_match", "velocity", "amount", "device.score", "device.age")
    kinds |= dict.fromkeys((*numbers, *(f"deepfake.score.{tag}" for tag in TAGS)), cel.Type.DOUBLE)
    environment = cel.NewEnv(variables=kinds)

    def flat(given: dict[str, Any]) -> dict[str, Any]:
        device, deepfake = given["device"], given["deepfake"]
        values = {name: given[name] for name in ("country", "document_match", "velocity", "amount")}
        values |= {"device.score": device["score"], "device.age": device["age"], "device.emulator": device["emulator"]}
        values["deepfake.result"] = deepfake["result"]
        for tag, score in deepfake["score"].items():
            values[f"deepfake.score.{tag}"] = score
        return values

    tests = [f"(({text}) ? {outcome} : 0)" for text, outcome in work.rules]
    whole = environment.compile(f"[{', '.join(tests)}]")
    yield "one expression", lambda given: max(whole.eval(data=flat(given)).plain_value())

    rules = [(environment.compile(text), outcome) for text, outcome in work.rules]

    def each(given: dict[str, Any]) -> int:
        values = environment.Activation(flat(given))
        return max((outcome for rule, outcome in rules if rule.eval(values).plain_value()), default=0)

    yield "one for each rule", each


def runs(decide: Decide, requests: tuple[dict[str, Any], ...]) -> Callable[[], int]:
    """Return a run over all requests."""

    def run() -> int:
        for given in requests:
            decide(given)
        return len(requests)

    return run


def agree(name: str, decide: Decide, straight: Decide, requests: tuple[dict[str, Any], ...]) -> None:
    """Refuse to compare what does not answer alike."""
    for given in requests:
        if decide(given) != straight(given):
            raise SystemExit(f"{name} answers {decide(given)}, straight Python {straight(given)}, to {given}")


def fastest(name: str, forms: Iterator[tuple[str, Decide]], straight: Decide, work: Workload) -> tuple[str, float]:
    """Return the fastest form of a rival, and its microseconds."""
    best = ("", float("inf"))
    few = work.requests[:200]
    for form, decide in forms:
        agree(f"{name} ({form})", decide, straight, few)
        (took,) = per_call_us([runs(decide, few)], rounds=5)
        best = min(best, (form, took), key=lambda pair: pair[1])
    return best


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at least."""
    for count in (10, 50, 500):
        work = workload(count)
        policy, decide = ours(work)
        straight: Decide = straight_python(work)  # type: ignore[assignment]  # a function of one mapping
        agree("adjudge", decide, straight, work.requests)
        same = work.requests[:1] * 2000
        lost = tuple({**given, "device": None} for given in work.requests)
        few = tuple({**given, "velocity": None} for given in work.requests)
        evaluate = policy.evaluate
        mine, theirs, again, unknown, one_unknown = per_call_us(
            [
                runs(evaluate, work.requests),
                runs(straight, work.requests),
                runs(evaluate, same),
                runs(evaluate, lost),
                runs(evaluate, few),
            ]
        )
        limit = "≤ 1×" if count == 500 else "≤ 2×"
        yield (
            f"evaluate, {count} rules, all different requests: {mine:.2f} µs, straight {theirs:.2f} µs",
            f"{mine / theirs:.2f}×",
            limit,
        )
        yield f"the same request again and again: {again:.2f} µs", f"{again / theirs:.2f}×", limit
        yield (
            f"a signal unknown / one input unknown, {count} rules",
            f"{unknown / mine:.2f}× / {one_unknown / mine:.2f}×",
            "≤ 2×",
        )
        for name, forms, floor in (("zen-engine", zen_forms, 3), ("Google's CEL", cel_forms, 6)):
            form, took = fastest(name, forms(work), straight, work)
            yield (
                f"{name}, {count} rules, its fastest form ({form}): {took:.1f} µs",
                f"{took / mine:.1f}× slower",
                f"≥ {floor}×",
            )


if __name__ == "__main__":
    for what, figure, least in rows():
        print(f"| {what} | {figure} | {least} |")
