"""The texts of a new policy and of what stands beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from adjudge.errors import PolicyErrors, did_you_mean
from adjudge.errors import ScaffoldError as ScaffoldError
from adjudge.frozen import frozen
from adjudge.plugin import Provider
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.document import POLICY_NAME
from adjudge.policy.loading.load import read_policy
from adjudge.policy.slots import novel_of
from adjudge.texts import split_lines
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, DOUBLE, INT, EnumType, MapType, SetType

Build = Literal["none", "github", "gitlab"]


@frozen(kw_only=True)
class Answers:
    """What to make. provider: of the first signal; None for one that the caller supplies. inputs: names of strings."""

    name: str
    provider: str | None = None
    signal: str = "face"
    inputs: Sequence[str] = ("country",)
    build: Build = "none"


def build(answers: Answers, providers: Mapping[str, Provider]) -> dict[str, str]:
    """Return the texts of the files by their path: a policy that loads, tests that pass, and the build's check.

    Raises ScaffoldError for a name that is none, or taken, or a provider that is not installed.
    """
    if not POLICY_NAME.fullmatch(answers.name):
        raise ScaffoldError(f"`{answers.name}` cannot be a policy's name", "letters, digits, - and _")
    for name in (answers.signal, *answers.inputs):
        if not name.isidentifier() or not name.isascii():
            raise ScaffoldError(f"`{name}` cannot be a name in conditions", "letters, digits and _")
    for name in (name for name, count in Counter((answers.signal, *answers.inputs)).items() if count > 1):
        raise ScaffoldError(f"`{name}` is asked for twice", "signals and inputs need names of their own")
    fields = _fields(answers, providers)
    policy = _policy(answers, fields)
    try:
        read_policy(policy, f"{answers.name}.yaml", catalogue=Catalogue(providers=providers))
    except PolicyErrors as errors:
        raise ScaffoldError(f"the policy would not load: {errors.errors[0].message}", errors.errors[0].hint) from None
    files = {f"{answers.name}.yaml": policy, f"{answers.name}_test.yaml": _tests(answers, fields)}
    if answers.build == "github":
        files[".github/workflows/policies.yml"] = _GITHUB
    elif answers.build == "gitlab":
        files[".gitlab-ci.yml"] = _GITLAB
    return files


def _fields(answers: Answers, providers: Mapping[str, Provider]) -> Mapping[str, Field]:
    if answers.provider is None:
        return {"score": Field(type=DOUBLE, minimum=0.0, maximum=1.0, riskier="higher")}
    if answers.provider not in providers:
        hint = did_you_mean(answers.provider, providers) or f"installed are {', '.join(sorted(providers))}"
        raise ScaffoldError(f"there is no provider `{answers.provider}`", hint)
    fields = providers[answers.provider].fields
    if fields is None:
        hint = "begin without a provider, and name it in the policy with its `with:` and `fields:`"
        raise ScaffoldError(f"a policy must declare the fields of `{answers.provider}`", hint)
    return fields


def _policy(answers: Answers, fields: Mapping[str, Field]) -> str:
    lines = [
        f"# {answers.name}: every number here is a starting value, calibrated on nobody's traffic.",
        "policy_language: 1",
        f"policy: {answers.name}",
        "description: What this step of onboarding lets through, looks at and turns away",
        "",
    ]
    if answers.inputs:
        first, *others = answers.inputs
        lines += ["inputs: # what the caller knows", f"  {first}: string"]
        lines += [*(f"  {name}: string # lint: allow unused-input until there is a rule for it" for name in others), ""]
    lines += ["signals:", f"  {answers.signal}:"]
    if answers.provider is None:
        lines += ["    fields:", "      score: {type: double, range: [0, 1], riskier: higher}"]
    else:
        scene = "    with: {scene_code: onboard001}" if answers.provider == "aliyun.deepfake" else None
        lines += [f"    provider: {answers.provider}", *([scene] if scene else []), "    timeout: 5s"]
    lines += ["", "# In doubt a person decides.", "when_unknown: review", "", "thresholds:"]
    lines += _thresholds(answers.signal, fields)
    novel = [name for name, field in fields.items() if isinstance(field.type, SetType)]
    rules = []
    if novel:
        rules += [
            "  - id: new-risk",
            "    description: The vendor has learnt a risk that this policy does not know yet",
            f"    when: size({answers.signal}.{novel_of(novel[0])}) > 0",
            "    then: review",
        ]
    if answers.inputs:
        rules += [
            f"  - id: {answers.inputs[0].replace('_', '-')}-missing",
            f'    when: {answers.inputs[0]} == ""',
            "    then: review",
        ]
    return "\n".join([*lines, *(["", "rules:", *rules] if rules else [])]) + "\n"


def _thresholds(signal: str, fields: Mapping[str, Field]) -> list[str]:
    lines = []
    for name, field in fields.items():
        path = f"{signal}.{name}"
        match field.type:
            case EnumType(values=values) if field.riskier is not None:
                worst = values if field.riskier == "higher" else values[::-1]
                middle = [f"{value}: review" for value in worst[1:-1]]
                lines.append(f"  {path}: {{{', '.join([*middle, f'{worst[-1]}: reject'])}}}")
            case SetType(values=values) if field.riskier is not None:
                lines += [f"  {path}:", *(f"    {value}: review" for value in values)]
            case MapType(keys=tuple(keys)) if field.of is not None and field.of.type == DOUBLE:
                lines += [f"  {path}:"]
                lines += [f"    {key}: {{review: 0.60, reject: 0.90}}" for key in keys]
            case type_ if type_ == DOUBLE and field.riskier == "higher":
                lines.append(f"  {path}: {{review: 0.60, reject: 0.90}}")
            case type_ if type_ == BOOL and field.riskier == "higher":
                lines.append(f"  {path}: {{true: review}}")
            case type_ if type_ == INT and field.riskier == "higher":
                lines.append(f"  {path}: {{review: 5}}")
    return lines or [f"  {signal}: {{}}"]


def _tests(answers: Answers, fields: Mapping[str, Field]) -> str:
    quiet, risky = _given(fields, risky=False), _given(fields, risky=True)
    inputs = ", ".join(f"{name}: {'SG' if name == 'country' else 'x'}" for name in answers.inputs)
    lines = [
        f"policy: {answers.name}.yaml",
        "defaults:",
        *([f"  inputs: {{{inputs}}}"] if inputs else []),
        f"  {answers.signal}: {{{quiet}}}",
        "tests:",
        "  - name: nothing suspicious passes",
        "    expect: pass",
        "  - name: what is surely forged is rejected",
        f"    given: {{{answers.signal}: {{{risky}}}}}",
        "    expect: reject",
        "  - name: when the signal is lost a person looks",
        f"    given: {{{answers.signal}: unknown}}",
        "    expect: {outcome: review, settled: false}",
    ]
    return "\n".join(lines) + "\n"


def _given(fields: Mapping[str, Field], *, risky: bool) -> str:
    parts = []
    for name, field in fields.items():
        match field.type:
            case EnumType(values=values) if field.riskier is not None:
                ordered = values if field.riskier == "higher" else values[::-1]
                parts.append(f"{name}: {ordered[-1] if risky else ordered[0]}")
            case SetType():
                parts.append(f"{name}: []")
            case MapType(keys=tuple(keys)) if field.of is not None and field.of.type == DOUBLE:
                parts.append(f"{name}: {{{f'{keys[0]}: 0.97' if risky else ''}}}")
            case type_ if type_ == DOUBLE and field.riskier == "higher":
                parts.append(f"{name}: {0.97 if risky else 0.02}")
            case type_ if type_ == BOOL and field.riskier == "higher":
                parts.append(f"{name}: {str(risky).lower()}")
            case type_ if type_ == INT and field.riskier == "higher":
                parts.append(f"{name}: {9 if risky else 0}")
    return ", ".join(parts)


_STEPS = """pip install 'adjudge[proofs]'
adjudge format --check .
adjudge check .
adjudge test . --coverage --junit tests.xml
"""
_GITHUB = """name: policies
on: [pull_request]
jobs:
  policies:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
""" + "".join(f"      - run: {step}\n" for step in split_lines(_STEPS))
_GITLAB = (
    """policies:
  image: python:3.12
  script:
"""
    + "".join(f"    - {step}\n" for step in split_lines(_STEPS))
    + """  artifacts:
    reports: {junit: tests.xml}
"""
)
