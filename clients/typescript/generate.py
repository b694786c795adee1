"""Write the client's methods and types from the OpenAPI document of the service.

python clients/typescript/generate.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from adjudge.service.openapi import openapi_document
from adjudge.service.routes import ROUTES

HERE = Path(__file__).parent
HEAD = "// Made by generate.py from the OpenAPI document of the service. Change that, and make this again.\n"
RAISED = "AdjudgeError, ProblemError, ServiceMismatch, ServiceUnavailable, newMerchantBizId"
DEADLINE = "X-Deadline-Ms"
JSON, TEXT = "application/json", "text/plain"
Part = Mapping[str, Any]


def generated() -> dict[str, str]:
    """Return the text of each file that is made, by its name."""
    document = openapi_document(ROUTES)
    operations = [
        Operation(path, method, said)
        for path, methods in document["paths"].items()
        for method, said in methods.items()
        if Operation(path, method, said).is_simple
    ]
    schemas: Mapping[str, Part] = document["components"]["schemas"]
    codes = sorted({code for one in operations for code in one.codes})
    code_type = "".join(f"\n  | {json.dumps(code)}" for code in codes)
    types = [
        f'import {{ Exchange }} from "./exchange.js";\nimport type {{ AskOptions }} from "./exchange.js";\n'
        f'export {{ {RAISED} }} from "./exchange.js";\n'
        'export type { AskOptions, ClientOptions } from "./exchange.js";\n',
        f"/** The codes of all problems. A later version may have more. */\nexport type ProblemCode ={code_type};\n",
        *(declared(name, schema) for name, schema in schemas.items()),
        "/** Asks a service. */\nexport class Client extends Exchange {\n"
        + "\n\n".join(one.signature() for one in operations)
        + "\n}\n",
    ]
    code = (
        f'import {{ Exchange, segment }} from "./exchange.js";\nexport {{ {RAISED} }} from "./exchange.js";\n\n'
        "export class Client extends Exchange {\n" + "\n\n".join(one.body() for one in operations) + "\n}\n"
    )
    return {"index.d.ts": HEAD + "\n".join(types), "index.js": HEAD + code}


class Operation:
    """A method of the client."""

    def __init__(self, path: str, method: str, said: Part) -> None:
        self.path, self.method, self.said = path, method.upper(), said
        own = [one for one in said["parameters"] if "$ref" not in one]
        self.in_path = [one for one in own if one["in"] == "path"]
        self.query = [one for one in own if one["in"] == "query"]
        self.has_deadline = any(one["name"] == DEADLINE for one in own)
        self.content: Part = said.get("requestBody", {}).get("content", {})
        self.answers = {
            int(status): answer.get("content", {})
            for status, answer in said["responses"].items()
            if int(status) < 300 or set(answer.get("content", {})) & {JSON, TEXT}
        }

    @property
    def is_simple(self) -> bool:
        """Whether one document goes in and one comes out, so that it can be a method."""
        gives = [set(contents) for contents in self.answers.values()]
        return (not self.content or JSON in self.content) and all(not kinds or kinds & {JSON, TEXT} for kinds in gives)

    @property
    def is_text(self) -> bool:
        """Whether it answers with text."""
        return any(kind.startswith("text/") for kinds in self.answers.values() for kind in kinds)

    @property
    def codes(self) -> list[str]:
        """The codes of the problems that it answers with."""
        return [code for answer in self.said["responses"].values() for code in _codes(answer)]

    @property
    def absent(self) -> list[str]:
        """The codes that say that there is no such thing."""
        is_one = self.method == "GET" and self.in_path
        return _codes(self.said["responses"].get("404", {})) if is_one else []

    @property
    def _body(self) -> Part | None:
        return self.content[JSON]["schema"] if JSON in self.content else None

    @property
    def _is_body_required(self) -> bool:
        return bool(self.said.get("requestBody", {}).get("required"))

    def _options(self) -> tuple[str, bool]:
        """Return the type of the options, and whether they must be given."""
        parts = [f"{_key(one['name'])}{'' if one['required'] else '?'}: {typed(one['schema'])}" for one in self.query]
        parts += ["deadlineMs?: number"] if self.has_deadline else []
        is_required = any(one["required"] for one in self.query)
        return (f"AskOptions & {{ {'; '.join(parts)} }}" if parts else "AskOptions"), is_required

    def signature(self) -> str:
        """Return its declaration."""
        lines = [f"{self.said['summary']}."]
        lines += [f"@param {one['name']} {one['description']}" for one in self.in_path]
        lines += [f"@param options.{one['name']} {one['description']}" for one in self.query]
        if self.has_deadline:
            lines.append("@param options.deadlineMs Milliseconds for gathering signals; what is late is unknown.")
        options, is_required = self._options()
        given = [f"{_camel(one['name'])}: {typed(one['schema'])}" for one in self.in_path]
        if self._body is not None:
            given.append(f"body{'' if self._is_body_required else '?'}: {typed(self._body)}")
        given.append(f"options{'' if is_required else '?'}: {options}")
        found = [typed(content["schema"]) for kinds in self.answers.values() for content in kinds.values()
                 if "allOf" not in content["schema"]]  # fmt: skip
        gives = " | ".join(dict.fromkeys(found)) or "void"
        gives += " | null" if self.absent else ""
        return f"{comment(lines, '  ')}  {self.said['operationId']}({', '.join(given)}): Promise<{gives}>;"

    def body(self) -> str:
        """Return its code."""
        names = [_camel(one["name"]) for one in self.in_path]
        path = re.sub(r"\{(\w+)\}", lambda part: f"${{segment({_camel(part[1])})}}", self.path)
        parts = {
            "method": json.dumps(self.method),
            "path": f"`{path}`" if names else json.dumps(path),
            "gives": json.dumps(sorted(self.answers)),
        }
        if self.query:
            pairs = ", ".join(f"{_key(one['name'])}: options.{one['name']}" for one in self.query)
            parts["query"] = f"{{ {pairs} }}"
        ids = [f"{one['name']}: {_camel(one['name'])}" for one in self.in_path]
        if self._body is not None:
            names.append("body")
            parts["body"] = "body"
            ids.append("...body")
        if ids and not self.is_text:
            parts["ids"] = f"{{ {', '.join(ids)} }}"
        if self.absent:
            parts["absent"] = json.dumps(self.absent)
        if self.is_text:
            parts["isText"] = "true"
        if self.method == "GET":
            parts["isRepeatable"] = "true"
        elif self.said.get("x-repeatable"):
            anew = any(one["name"] == "anew" for one in self.query)
            parts["isRepeatable"] = "!options.anew" if anew else "true"
        if self.has_deadline:
            parts["deadlineMs"] = "options.deadlineMs"
        said = "".join(f"        {name}: {value},\n" if name != value else f"        {name},\n"
                       for name, value in parts.items())  # fmt: skip
        given = ", ".join([*names, "options = {}"])
        asks = f"    return this.ask(\n      {{\n{said}      }},\n      options,\n    );\n"
        return f"  {self.said['operationId']}({given}) {{\n{asks}  }}"


def declared(name: str, schema: Part) -> str:
    """Return the declaration of a document."""
    about = comment([schema["description"]], "") if "description" in schema else ""
    if schema.get("type") != "object" or "properties" not in schema:
        return f"{about}export type {name} = {typed(schema)};\n"
    needed = set(schema.get("required", ()))
    lines = []
    for part, of_part in schema["properties"].items():
        kind = "ProblemCode" if (name, part) == ("Problem", "code") else typed(of_part)
        lines.append(
            f"{comment([text] if (text := of_part.get('description') or _inner(of_part)) else [], '  ')}"
            f"  {_key(part)}{'' if part in needed else '?'}: {kind};\n"
        )
    return f"{about}export interface {name} {{\n{''.join(lines)}}}\n"


def typed(schema: Part) -> str:
    """Return the type of what a schema describes."""
    match schema:
        case {"$ref": str(ref)}:
            return ref.rpartition("/")[2]
        case {"anyOf": list(ways)}:
            return " | ".join(dict.fromkeys(typed(way) for way in ways))
        case {"enum": list(values)}:
            return " | ".join(json.dumps(value) for value in values)
        case {"const": value}:
            return json.dumps(value)
        case {"type": "array", "prefixItems": list(items)}:
            return f"[{', '.join(typed(item) for item in items)}]"
        case {"type": "array"}:
            item = typed(schema.get("items", {}))
            return f"Array<{item}>"
        case {"type": "object"}:
            return f"Record<string, {typed(schema.get('additionalProperties', {}))}>"
        case {"type": "integer" | "number"}:
            return "number"
        case {"type": "string" | "boolean" | "null" as kind}:
            return str(kind)
        case _:
            return "unknown"


def comment(texts: list[str], indent: str) -> str:
    """Return a comment of some paragraphs; nothing for none."""
    lines = [line for text in texts for line in wrap(text.replace("*/", "* /"), 110)]
    if len(lines) < 2:
        return f"{indent}/** {lines[0]} */\n" if lines else ""
    return f"{indent}/**\n" + "".join(f"{indent} * {line}\n" for line in lines) + f"{indent} */\n"


def _inner(schema: Part) -> str:
    return next((way["description"] for way in schema.get("anyOf", ()) if "description" in way), "")


def _codes(answer: Part) -> list[str]:
    return [code for part in _parts(answer) for code in part.get("properties", {}).get("code", {}).get("enum", ())]


def _parts(said: Any) -> Iterator[Part]:
    if isinstance(said, Mapping):
        yield said
        for one in said.values():
            yield from _parts(one)
    elif isinstance(said, list):
        for one in said:
            yield from _parts(one)


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)


if __name__ == "__main__":
    for name, text in generated().items():
        (HERE / name).write_text(text, "utf-8")
