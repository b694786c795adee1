"""The server: what an editor sends, and what it is answered; all that is known stands in the modules beside."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlparse

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from adjudge.authoring.cases import is_test_file, policy_of
from adjudge.authoring.formatting.run import FormatFault, formatted
from adjudge.authoring.language_server.completion import complete
from adjudge.authoring.language_server.describe import describe
from adjudge.authoring.language_server.document import Document, Problem, read_text
from adjudge.authoring.language_server.naming import uses
from adjudge.authoring.language_server.navigation import (
    broken_by,
    is_name,
    is_used_at,
    outline,
    renamed,
    symbol_at,
)
from adjudge.errors import PolicyErrors
from adjudge.policy.catalogue import Catalogue
from adjudge.pools import Pool
from adjudge.source import Span

PAUSE_S = 0.05
"""After a keystroke; what is typed meanwhile starts it again."""
CHECK_S = 3600.0
"""Seconds after which the look at a document is given up."""
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_KINDS = {
    "key": types.CompletionItemKind.Property,
    "field": types.CompletionItemKind.Field,
    "value": types.CompletionItemKind.EnumMember,
    "function": types.CompletionItemKind.Function,
    "name": types.CompletionItemKind.Variable,
}


class Server(LanguageServer):
    """Knows the open documents."""

    def __init__(self, catalogue: Catalogue, version: str) -> None:
        """catalogue: the providers and functions that are installed."""
        super().__init__("adjudge", version)
        self.catalogue = catalogue
        self.known: dict[str, Document] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.pool = Pool("adjudge-lsp", 2)

    def document(self, uri: str) -> Document:
        """Return what is known of a document as it stands now."""
        text = self.workspace.get_text_document(uri)
        before = self.known.get(uri)
        if before is None or before.text != text.source:
            self.known[uri] = read_text(path_of(uri), text.source, self.catalogue, before)
        return self.known[uri]

    def offset(self, uri: str, position: types.Position) -> int:
        """Return the offset of a position."""
        return int(self.workspace.get_text_document(uri).offset_at_position(position))

    def range(self, text: TextDocument, span: Span) -> types.Range:
        """Return a range of a document, in the units of the client."""
        return types.Range(start=self.position(text, span.start), end=self.position(text, span.end))

    def position(self, text: TextDocument, offset: int) -> types.Position:
        """Return the position of an offset, in the units of the client."""
        offset = min(offset, len(text.source))
        line = text.source.count("\n", 0, offset)
        column = offset - (text.source.rfind("\n", 0, offset) + 1)
        position = types.Position(line=line, character=column)
        return text.position_codec.position_to_client_units(text.lines, position)

    async def publish(self, uri: str) -> None:
        """Tell what is wrong with a document, once the typing pauses."""
        await asyncio.sleep(PAUSE_S)
        document = await self.pool.run(partial(self.document, uri), deadline_s=CHECK_S)
        text = self.workspace.get_text_document(uri)
        if document.text != text.source:
            return  # an older state: a newer one is on its way
        diagnostics = [
            types.Diagnostic(
                range=self.range(text, problem.span),
                message=problem.message,
                severity=_SEVERITIES[problem.severity],
                code=problem.code,
                source="adjudge",
            )
            for problem in document.problems
        ]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics, version=text.version)
        )

    def changed(self, uri: str) -> None:
        """Look at a document soon, and no longer at an older state of it."""
        waiting = self.waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()
        self.waiting[uri] = asyncio.get_running_loop().create_task(self.publish(uri))


def path_of(uri: str) -> Path:
    """Return the path of a file's URI."""
    return Path(unquote(urlparse(uri).path))


def build_server(catalogue: Catalogue, version: str) -> Server:
    """Return a server that speaks for a catalogue."""
    server = Server(catalogue, version)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        server.changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        waiting = server.waiting.pop(params.text_document.uri, None)
        if waiting is not None:
            waiting.cancel()
        server.known.pop(params.text_document.uri, None)

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", '"', "'", " ", ":", "{"])
    )
    def completed(params: types.CompletionParams) -> types.CompletionList:
        uri = params.text_document.uri
        found = complete(server.document(uri), server.offset(uri, params.position), server.catalogue)
        items = [
            types.CompletionItem(
                label=one.label, kind=_KINDS[one.kind], detail=one.detail or None, documentation=one.about or None
            )
            for one in found
        ]
        return types.CompletionList(is_incomplete=False, items=items)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hovered(params: types.HoverParams) -> types.Hover | None:
        uri = params.text_document.uri
        found = describe(server.document(uri), server.offset(uri, params.position), server.catalogue)
        if found is None:
            return None
        said, span = found
        text = server.workspace.get_text_document(uri)
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=said)
        return types.Hover(contents=content, range=server.range(text, span))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def defined(params: types.DefinitionParams) -> types.Location | None:
        uri = params.text_document.uri
        document = server.document(uri)
        symbol = symbol_at(document, server.offset(uri, params.position))
        if symbol is None or document.typed is None:
            return None
        source, at = document.typed.source.part(symbol.declared.start)
        target = Path(source.name).resolve().as_uri()
        place = TextDocument(target, source.text)
        span = Span(at, at + symbol.declared.end - symbol.declared.start)
        return types.Location(uri=target, range=server.range(place, span))

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def referred(params: types.ReferenceParams) -> list[types.Location]:
        uri = params.text_document.uri
        document = server.document(uri)
        symbol = symbol_at(document, server.offset(uri, params.position))
        text = server.workspace.get_text_document(uri)
        spans = uses(document.text, symbol) if symbol is not None else ()
        return [types.Location(uri=uri, range=server.range(text, span)) for span in spans]

    @server.feature(types.TEXT_DOCUMENT_RENAME)
    def rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        uri = params.text_document.uri
        document = server.document(uri)
        offset = server.offset(uri, params.position)
        symbol = symbol_at(document, offset)
        name = params.new_name
        if symbol is None or not is_used_at(document.text, symbol, offset) or not is_name(symbol, name):
            return None
        edits = {}
        for other in _with_tests(path_of(uri)):
            place = server.workspace.get_text_document(uri if other == path_of(uri) else other.as_uri())
            spans = uses(place.source, symbol)
            wrong = broken_by(server.document(place.uri), renamed(place.source, spans, name), server.catalogue)
            if wrong is not None:
                raise JsonRpcInvalidParams(f"with `{name}` for `{symbol.name}`, {other.name} would not load: {wrong}")
            if spans:
                edits[place.uri] = [types.TextEdit(range=server.range(place, span), new_text=name) for span in spans]
        return types.WorkspaceEdit(changes=edits)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION)
    def mended(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        text = server.workspace.get_text_document(uri)
        lines = range(params.range.start.line, params.range.end.line + 1)
        return [
            _action(server, text, problem)
            for problem in server.document(uri).problems
            if problem.fix and server.range(text, problem.span).start.line in lines
        ]

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def put_in_form(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        text = server.workspace.get_text_document(params.text_document.uri)
        try:
            result = formatted(text.source, text.uri)
        except (PolicyErrors, FormatFault):
            return []
        return [types.TextEdit(range=server.range(text, Span(0, len(text.source))), new_text=result)]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        uri = params.text_document.uri
        text = server.workspace.get_text_document(uri)
        return [
            types.DocumentSymbol(
                name=name,
                detail=detail,
                kind=types.SymbolKind.Event,
                range=server.range(text, span),
                selection_range=server.range(text, span),
            )
            for name, detail, span in outline(server.document(uri))
        ]

    return server


def _action(server: Server, text: TextDocument, problem: Problem) -> types.CodeAction:
    edits = [types.TextEdit(range=server.range(text, edit.span), new_text=edit.text) for edit in problem.fix]
    return types.CodeAction(
        title=f"mend: {problem.message.partition(chr(10))[0]}",
        kind=types.CodeActionKind.QuickFix,
        edit=types.WorkspaceEdit(changes={text.uri: edits}),
    )


def _with_tests(path: Path) -> list[Path]:
    """Return a policy and the test files beside it that are about it; or a test file alone with its policy."""
    policy = (policy_of(path) or path) if is_test_file(path) else path
    beside = (
        [other for other in sorted(policy.parent.iterdir()) if is_test_file(other)] if policy.parent.is_dir() else []
    )
    of_policy = [other for other in beside if (named := policy_of(other)) and named.resolve() == policy.resolve()]
    return list(dict.fromkeys([path, policy, *of_policy]))
