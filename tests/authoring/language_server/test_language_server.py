"""What an editor is told: over texts and offsets, and by a real client that speaks to the command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.authoring.language_server.completion import complete
from adjudge.authoring.language_server.describe import describe
from adjudge.authoring.language_server.document import Document, read_text
from adjudge.authoring.language_server.naming import uses
from adjudge.authoring.language_server.navigation import broken_by, outline, renamed, symbol_at
from adjudge.authoring.language_server.places import place_at, word_at
from adjudge.registry import Registry

CATALOGUE = Registry.discover().catalogue()
POLICY = """policy_language: 1
policy: shop
inputs:
  country: {type: string, description: where the merchant is}
signals:
  deepfake: {provider: aliyun.deepfake, with: {scene_code: onboard001}}
lists:
  bad: [KP]
variables:
  forged: deepfake.result == "high"
thresholds:
  deepfake.score:
    SuspectRemake: {review: 0.5}
rules:
  - id: sanctioned
    when: country in lists.bad && forged
    then: reject
  - {id: tagged, when: '"SuspectRemake" in deepfake.tags', then: review}
"""


def at(marked: str) -> tuple[str, int]:
    """Return a text without its `▮`, and where that stood."""
    return marked.replace("▮", ""), marked.index("▮")


def opened(text: str = POLICY) -> Document:
    good = read_text(Path("/nowhere/shop.yaml"), POLICY, CATALOGUE)
    return read_text(Path("/nowhere/shop.yaml"), text, CATALOGUE, good)


def labels(marked: str) -> list[str]:
    text, offset = at(marked)
    return [one.label for one in complete(opened(text), offset, CATALOGUE)]


@pytest.mark.parametrize(
    ("old", "marked", "expected"),
    [
        ("country in lists.bad && forged", "cou▮", {"country", "deepfake", "forged", "lists", "now"}),
        ("country in lists.bad && forged", "country in lists.▮", {"bad"}),
        ("country in lists.bad && forged", "deepfake.▮", {"result", "tags", "score", "novel_tags"}),
        ("country in lists.bad && forged", "deepfake.score.▮", {"SuspectRemake", "SuspectPSFace"}),
        ("country in lists.bad && forged", 'deepfake.result == "▮', {"low", "suspicious", "high"}),
        ('"SuspectRemake" in deepfake.tags', '"Sus▮" in deepfake.tags', {"SuspectRemake", "SuspectAIGCFace"}),
        ("then: reject", "then: ▮", {"review", "reject"}),
        ("then: reject", "▮", {"id", "when", "unless", "message", "from"}),
        ("provider: aliyun.deepfake", "provider: ▮", {"aliyun.deepfake", "http.json"}),
        ("    SuspectRemake: {review: 0.5}", "    ▮", {"SuspectRemake", "SuspectWarterMark"}),
        ("{review: 0.5}", "{▮}", {"review", "reject", "below"}),
        ("  deepfake.score:\n", "  ▮\n", {"deepfake.result", "deepfake.tags", "country"}),
        ("policy: shop\n", "policy: shop\n▮\n", {"rules", "thresholds", "scorecard", "include"}),
        ('deepfake.result == "high"', "dee▮", {"deepfake", "country"}),
    ],
)
def test_completion_offers_what_could_stand_there(old: str, marked: str, expected: set[str]) -> None:
    assert old in POLICY
    found = labels(POLICY.replace(old, marked, 1))
    assert expected <= set(found), found


def test_completion_of_a_tag_offers_no_other_vocabulary() -> None:
    assert set(labels(POLICY.replace('"high"', '"▮', 1))) == {"low", "suspicious", "high"}


def test_place_is_found_from_indentation_and_braces() -> None:
    text, offset = at("rules:\n  - id: a\n    when: x && ▮")
    assert (place_at(text, offset).path, place_at(text, offset).before) == (("rules", "when"), "x && ")
    text, offset = at("signals:\n  device: {fields: {score: {type: ▮")
    assert place_at(text, offset).path == ("signals", "device", "fields", "score", "type")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_place_is_the_same_whatever_ends_the_lines(end: str) -> None:
    text, offset = at("thresholds:\n  device.score:\n    re▮\nrules: []\n".replace("\n", end))
    assert place_at(text, offset).path == ("thresholds", "device.score")
    found = word_at(text, offset)
    assert found is not None and text[found[1].start : found[1].end] == "re"


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        ("when: cou▮ntry in", "where the merchant is"),
        ("in lists.b▮ad", "1 values: KP"),
        ("&& for▮ged", 'deepfake.result == "high"'),
        ("deepfake.ta▮gs'", "riskier: higher, from `aliyun.deepfake`"),
        ("id: sanct▮ioned", "→ reject, SANCTIONED"),
        ("  deep▮fake: {provider", "in doubt review"),
    ],
)
def test_hover_says_what_a_name_means(marked: str, said: str) -> None:
    plain = marked.replace("▮", "")
    offset = POLICY.index(plain) + marked.index("▮")
    found = describe(opened(), offset, CATALOGUE)
    assert found is not None and said in found[0]


def test_definition_and_uses_of_a_name() -> None:
    document = opened()
    symbol = symbol_at(document, POLICY.index("&& forged") + 4)
    assert symbol is not None and POLICY[symbol.declared.start : symbol.declared.end] == "forged"
    assert len(list(uses(POLICY, symbol))) == 2
    rule = symbol_at(document, POLICY.index("sanctioned") + 2)
    assert rule is not None
    tests = "tests:\n  - {name: sanctioned-one, expect: {rules: [sanctioned]}}\n"
    assert [tests[span.start - 1] for span in uses(tests, rule)] == ["["]
    assert [name for name, _, _ in outline(document)] == ["sanctioned", "tagged"]


NAMES = """policy_language: 1
policy: p
inputs:
  country: {type: enum, values: [SG, DE]}
  marks: {type: set, values: [A]}
  score: {type: double, range: [0, 1]}
signals:
  dev: {fields: {score: {type: double, range: [0, 100]}, tags: {type: set, values: [A, B]}}}
lists: {dev: [A]}
variables:
  risky: dev.score > 80.0
  review: score > 0.5
thresholds:
  dev.score: {reject: 90}
rules:
  - {id: country, when: country == "SG" && risky, then: review, message: "a risky device in {country}"}
  - {id: q, when: "risky && size(novel_marks) > 0", then: review, description: "risky, see country"}
  - {id: h, when: 'country != "SG" && dev.tags.exists(risky, risky in lists.dev) || risky', then: review}
  - {id: r, when: review, then: review}
"""
NAMES_TESTS = """policy: p.yaml
defaults: {inputs: {country: SG, score: 0}, dev: {score: 0}}
tests:
  - name: country
    given: {inputs: {score: 0.5}, dev: {score: 5}}
    table:
      - {score: 0.1, dev.score: 8, expect: {rules: [country]}}
      - {score: 7, expect: {problems: [score]}}
"""


@pytest.mark.parametrize(
    ("marked", "inside", "count", "in_tests"),
    [
        ("  ris▮ky: dev", "risky", 4, 0),
        ("  re▮view: score", "review", 2, 0),
        ("{id: coun▮try", "country", 1, 1),
        ("  coun▮try: {type", "country", 4, 1),
        ("  mar▮ks: {type", "marks", 2, 0),
        ("  sc▮ore: {type", "score", 2, 5),
        ("  de▮v: {fields", "dev", 4, 3),
        ("{d▮ev: [A]}", "dev", 2, 0),
    ],
)
def test_uses_are_names_and_no_other_words(marked: str, inside: str, count: int, in_tests: int) -> None:
    plain = marked.replace("▮", "")
    document = read_text(Path("/nowhere/p.yaml"), NAMES, CATALOGUE)
    assert document.typed is not None
    symbol = symbol_at(document, NAMES.index(plain) + marked.index("▮"))
    assert symbol is not None
    spans = uses(NAMES, symbol)
    assert [NAMES[span.start : span.end] for span in spans] == [inside] * count
    after = renamed(NAMES, spans, "another")
    assert broken_by(document, after, CATALOGUE) is None
    assert "risky, see country" in after and "a risky device" in after
    assert len(uses(NAMES_TESTS, symbol)) == in_tests


def test_renaming_to_a_name_that_is_taken_says_what_would_break() -> None:
    document = read_text(Path("/nowhere/p.yaml"), NAMES, CATALOGUE)
    symbol = symbol_at(document, NAMES.index("risky: dev"))
    assert symbol is not None
    assert broken_by(document, renamed(NAMES, uses(NAMES, symbol), "review"), CATALOGUE) is not None


def test_problems_are_errors_first_and_then_what_is_worth_a_look() -> None:
    broken = opened(POLICY.replace('"SuspectRemake" in', '"SuspectReamke" in'))
    (problem,) = broken.problems
    assert (problem.severity, problem.code) == ("error", "name-vocabulary")
    assert broken.text[problem.span.start : problem.span.end] == '"SuspectReamke"'
    assert broken.typed is not None
    assert {problem.severity for problem in opened().problems} <= {"warning", "note"}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_text_and_no_place_is_too_much(data: st.DataObject) -> None:
    """Whatever somebody has typed so far, and wherever the cursor stands."""
    cut = data.draw(st.integers(0, len(POLICY)))
    inserted = data.draw(st.text(alphabet=" \n:{}[]\"'-#|>.ab💥é", max_size=8))
    end = data.draw(st.sampled_from((cut, len(POLICY))))
    text = POLICY[:cut] + inserted + POLICY[cut:end]
    document = opened(text)
    offset = data.draw(st.integers(0, len(text)))
    complete(document, offset, CATALOGUE)
    describe(document, offset, CATALOGUE)
    symbol = symbol_at(document, offset)
    if symbol is not None:
        list(uses(text, symbol))
    outline(document)


# A real client


def speak(talk: Callable[[Any, str, Any], Awaitable[None]], folder: Path, encoding: str | None = None) -> None:
    """Start the command, let a language client talk to it about `shop.yaml`, and end both."""
    pygls = pytest.importorskip("pygls.lsp.client", reason="needs the extra `lsp`")
    from lsprotocol import types

    async def session() -> None:
        client = pygls.LanguageClient("tests", "1")
        told: asyncio.Queue[Any] = asyncio.Queue()

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def tell(params: Any) -> None:
            told.put_nowait(params)

        await client.start_io(sys.executable, "-m", "adjudge", "lsp")
        try:
            root = folder.as_uri()
            await client.initialize_async(
                types.InitializeParams(
                    capabilities=types.ClientCapabilities(
                        general=types.GeneralClientCapabilities(position_encodings=[encoding]) if encoding else None
                    ),
                    root_uri=root,
                    process_id=None,
                )
            )
            client.initialized(types.InitializedParams())
            uri = (folder / "shop.yaml").as_uri()
            item = types.TextDocumentItem(
                uri=uri, language_id="yaml", version=1, text=(folder / "shop.yaml").read_text()
            )
            client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))
            await talk(client, uri, lambda: asyncio.wait_for(told.get(), 120))
            await client.shutdown_async(None)
            client.exit(None)
        finally:
            await client.stop()

    asyncio.run(asyncio.wait_for(session(), 300))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(POLICY.replace("policy: shop", "policy: shop # 💥 東京"))
    (tmp_path / "shop_test.yaml").write_text(
        "policy: shop.yaml\ntests:\n  - {name: a, given: {inputs: {country: KP}}, expect: {unresolved: [sanctioned]}}\n"
    )
    return tmp_path


def test_client_is_told_completes_hovers_and_renames(folder: Path) -> None:
    from lsprotocol import types

    async def talk(client: Any, uri: str, told: Any) -> None:
        first = await told()
        assert first.uri == uri
        assert {one.severity for one in first.diagnostics} <= {
            types.DiagnosticSeverity.Information,
            types.DiagnosticSeverity.Warning,
        }
        text = (
            (folder / "shop.yaml")
            .read_text()
            .replace("forged\n    then", "deepfake.\n    then")
            .replace('"high"', '"hihg"')
        )
        change = types.TextDocumentContentChangeWholeDocument(text=text)
        versioned = types.VersionedTextDocumentIdentifier(uri=uri, version=2)
        client.text_document_did_change(
            types.DidChangeTextDocumentParams(text_document=versioned, content_changes=[change])
        )
        second = await told()
        while second.version != 2:
            second = await told()
        found = {one.code: one for one in second.diagnostics}
        assert found["name-vocabulary"].range.start == types.Position(line=9, character=29)
        lines = text.split("\n")
        line = next(n for n, one in enumerate(lines) if one.endswith("deepfake."))
        place = types.Position(line=line, character=len(lines[line]))
        document = types.TextDocumentIdentifier(uri=uri)
        completed = await client.text_document_completion_async(
            types.CompletionParams(text_document=document, position=place)
        )
        assert {"result", "tags"} <= {one.label for one in completed.items}
        name = types.Position(line=14, character=10)
        hover = await client.text_document_hover_async(types.HoverParams(text_document=document, position=name))
        assert "rule `sanctioned`" in hover.contents.value
        where = await client.text_document_definition_async(
            types.DefinitionParams(text_document=document, position=name)
        )
        assert where.range.start.line == 14
        renamed = await client.text_document_rename_async(
            types.RenameParams(text_document=document, position=name, new_name="embargo")
        )
        assert {Path(changed).name: len(edits) for changed, edits in renamed.changes.items()} == {
            "shop.yaml": 1, "shop_test.yaml": 1,
        }  # fmt: skip

    speak(talk, folder)


def test_client_that_would_break_the_policy_is_told_so(folder: Path) -> None:
    from lsprotocol import types

    async def talk(client: Any, uri: str, told: Any) -> None:
        await told()
        asked = types.RenameParams(
            text_document=types.TextDocumentIdentifier(uri=uri),
            position=types.Position(line=POLICY[: POLICY.index("  forged:")].count("\n"), character=3),
            new_name="country",
        )
        with pytest.raises(Exception, match=r"with `country` for `forged`, shop\.yaml would not load: "):
            await client.text_document_rename_async(asked)

    speak(talk, folder)


def test_client_is_offered_a_fix_and_the_house_form(folder: Path) -> None:
    from lsprotocol import types

    text = POLICY.replace("  bad: [KP]\n", "  bad: [KP]\n  idle:   [SY]\n")
    (folder / "shop.yaml").write_text(text)

    async def talk(client: Any, uri: str, told: Any) -> None:
        await told()
        document = types.TextDocumentIdentifier(uri=uri)
        lines = types.Range(start=types.Position(line=8, character=0), end=types.Position(line=8, character=3))
        context = types.CodeActionContext(diagnostics=[])
        (action,) = await client.text_document_code_action_async(
            types.CodeActionParams(text_document=document, range=lines, context=context)
        )
        assert action.title == "mend: no rule reads the list `idle`"
        options = types.FormattingOptions(tab_size=2, insert_spaces=True)
        (edit,) = await client.text_document_formatting_async(
            types.DocumentFormattingParams(text_document=document, options=options)
        )
        assert "  idle: [SY]\n" in edit.new_text
        symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(text_document=document))
        assert [one.name for one in symbols] == ["sanctioned", "tagged"]

    speak(talk, folder)


ASTRAL = """policy_language: 1
policy: shop
inputs: {note: {type: string, description: "😀😀"}, country: string, idle: string}
rules:
  - {id: "a", when: note == "😀😀" && country == "KP", then: review}
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_every_answer_is_in_the_units_that_were_agreed(folder: Path, encoding: str) -> None:
    """Each place that the server names is cut out of the text as the client would, and holds the name."""
    from lsprotocol import types

    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    (folder / "shop.yaml").write_text(ASTRAL, "utf-8")
    lines = ASTRAL.split("\n")

    def cut(place: Any) -> str:
        assert place.start.line == place.end.line
        line = lines[place.start.line].encode(codec)
        return line[place.start.character * size : place.end.character * size].decode(codec)

    def position(word: str, number: int) -> Any:
        before = lines[number][: lines[number].rindex(word) + 1].encode(codec)
        return types.Position(line=number, character=len(before) // size)

    async def talk(client: Any, uri: str, told: Any) -> None:
        found = {one.code: cut(one.range) for one in (await told()).diagnostics}
        assert found["unused-input"] == "idle"
        asked: dict[str, Any] = {
            "text_document": types.TextDocumentIdentifier(uri=uri), "position": position("country", 4)
        }  # fmt: skip
        where = await client.text_document_definition_async(types.DefinitionParams(**asked))
        assert cut(where.range) == "country"
        hover = await client.text_document_hover_async(types.HoverParams(**asked))
        assert cut(hover.range) == "country"
        context = types.ReferenceContext(include_declaration=True)
        uses_ = await client.text_document_references_async(types.ReferenceParams(**asked, context=context))
        assert [cut(one.range) for one in uses_] == ["country"] * 2
        edits = await client.text_document_rename_async(types.RenameParams(**asked, new_name="land"))
        assert [cut(one.range) for one in edits.changes[uri]] == ["country"] * 2
        completed = await client.text_document_completion_async(types.CompletionParams(**asked))
        assert "country" in {one.label for one in completed.items}
        symbols = await client.text_document_document_symbol_async(
            types.DocumentSymbolParams(text_document=asked["text_document"])
        )
        assert [cut(one.selection_range) for one in symbols] == ['"a"']

    speak(talk, folder, encoding)
