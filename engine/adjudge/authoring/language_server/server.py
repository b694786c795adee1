"""The server: what an editor sends, and what it is answered; all that is known stands in the modules beside."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlparse

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from adjudge.authoring.formatting.run import FormatFault, formatted
from adjudge.authoring.language_server.buffer import Buffer, read_buffer
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
from adjudge.authoring.policy_tests.cases import policy_of
from adjudge.errors import PolicyErrors
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.folder import is_test_file
from adjudge.source import Span
from adjudge.system.pools import Pool

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
        self.buffers: dict[str, Buffer] = {}
        self.known: dict[str, Document] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.pool = Pool("adjudge-lsp", 2)

    def buffer(self, uri: str) -> Buffer:
        """Return a document as the editor has it, or else as its file does."""
        open_ = self.buffers.get(unquote(uri))
        return open_ if open_ is not None else read_buffer(uri, path_of(uri), self.encoding)

    @property
    def encoding(self) -> str:
        """Of positions, as agreed with the editor."""
        return types.PositionEncodingKind(self.workspace.position_encoding or "utf-16").value

    def document(self, uri: str) -> Document:
        """Return what is known of a document as it stands now."""
        text = self.buffer(uri).text
        before = self.known.get(uri)
        if before is None or before.text != text:
            self.known[uri] = read_text(path_of(uri), text, self.catalogue, before)
        return self.known[uri]

    def offset(self, uri: str, position: types.Position) -> int:
        """Return the offset of a position."""
        return self.buffer(uri).offset(position)

    async def publish(self, uri: str) -> None:
        """Tell what is wrong with a document, once the typing pauses."""
        await asyncio.sleep(PAUSE_S)
        document = await self.pool.run(partial(self.document, uri), deadline_s=CHECK_S)
        buffer = self.buffer(uri)
        if document.text != buffer.text:
            return  # an older state: a newer one is on its way
        diagnostics = [
            types.Diagnostic(
                range=buffer.range(problem.span),
                message=problem.message,
                severity=_SEVERITIES[problem.severity],
                code=problem.code,
                source="adjudge",
            )
            for problem in document.problems
        ]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics, version=buffer.version)
        )

    def changed(self, uri: str) -> None:
        """Look at a document soon, and no longer at an older state of it."""
        waiting = self.waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()
        self.waiting[uri] = asyncio.get_running_loop().create_task(self.publish(uri))


def path_of(uri: str) -> Path:
    """Return the path of a file's URI."""
    return Path(unquote(urlparse(uri).path, errors="surrogateescape"))


def build_server(catalogue: Catalogue, version: str) -> Server:
    """Return a server that speaks for a catalogue."""
    server = Server(catalogue, version)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        one = params.text_document
        server.buffers[unquote(one.uri)] = Buffer(one.uri, one.text, server.encoding, one.version)
        server.changed(one.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        one = params.text_document
        server.buffers[unquote(one.uri)] = server.buffer(one.uri).changed(params.content_changes, one.version)
        server.changed(one.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        waiting = server.waiting.pop(params.text_document.uri, None)
        if waiting is not None:
            waiting.cancel()
        server.known.pop(params.text_document.uri, None)
        server.buffers.pop(unquote(params.text_document.uri), None)

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
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=said)
        return types.Hover(contents=content, range=server.buffer(uri).range(span))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def defined(params: types.DefinitionParams) -> types.Location | None:
        uri = params.text_document.uri
        document = server.document(uri)
        symbol = symbol_at(document, server.offset(uri, params.position))
        if symbol is None or document.typed is None:
            return None
        source, at = document.typed.source.part(symbol.declared.start)
        target = Path(source.name).resolve().as_uri()
        span = Span(at, at + symbol.declared.end - symbol.declared.start)
        return types.Location(uri=target, range=Buffer(target, source.text, server.encoding).range(span))

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def referred(params: types.ReferenceParams) -> list[types.Location]:
        uri = params.text_document.uri
        document = server.document(uri)
        symbol = symbol_at(document, server.offset(uri, params.position))
        buffer = server.buffer(uri)
        spans = uses(document.text, symbol) if symbol is not None else ()
        return [types.Location(uri=uri, range=buffer.range(span)) for span in spans]

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
            buffer = server.buffer(uri if other == path_of(uri) else other.as_uri())
            spans = uses(buffer.text, symbol)
            wrong = broken_by(server.document(buffer.uri), renamed(buffer.text, spans, name), server.catalogue)
            if wrong is not None:
                raise JsonRpcInvalidParams(f"with `{name}` for `{symbol.name}`, {other.name} would not load: {wrong}")
            if spans:
                edits[buffer.uri] = [types.TextEdit(range=buffer.range(span), new_text=name) for span in spans]
        return types.WorkspaceEdit(changes=edits)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION)
    def mended(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        buffer = server.buffer(uri)
        lines = range(params.range.start.line, params.range.end.line + 1)
        return [
            _action(buffer, problem)
            for problem in server.document(uri).problems
            if problem.fix and buffer.range(problem.span).start.line in lines
        ]

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def put_in_form(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        buffer = server.buffer(params.text_document.uri)
        try:
            result = formatted(buffer.text, buffer.uri)
        except (PolicyErrors, FormatFault):
            return []
        return [types.TextEdit(range=buffer.range(Span(0, len(buffer.text))), new_text=result)]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        uri = params.text_document.uri
        buffer = server.buffer(uri)
        return [
            types.DocumentSymbol(
                name=name,
                detail=detail,
                kind=types.SymbolKind.Event,
                range=buffer.range(span),
                selection_range=buffer.range(span),
            )
            for name, detail, span in outline(server.document(uri))
        ]

    return server


def _action(buffer: Buffer, problem: Problem) -> types.CodeAction:
    edits = [types.TextEdit(range=buffer.range(edit.span), new_text=edit.text) for edit in problem.fix]
    return types.CodeAction(
        title=f"mend: {problem.message.partition(chr(10))[0]}",
        kind=types.CodeActionKind.QuickFix,
        edit=types.WorkspaceEdit(changes={buffer.uri: edits}),
    )


def _with_tests(path: Path) -> list[Path]:
    """Return a policy and the test files beside it that are about it; or a test file alone with its policy."""
    policy = (policy_of(path) or path) if is_test_file(path) else path
    beside = (
        [other for other in sorted(policy.parent.iterdir()) if is_test_file(other)] if policy.parent.is_dir() else []
    )
    of_policy = [other for other in beside if (named := policy_of(other)) and named.resolve() == policy.resolve()]
    return list(dict.fromkeys([path, policy, *of_policy]))
