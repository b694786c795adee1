"""A request and its face as one form (RFC 7578): the document in a part, the file in another, both as they are.

The reader is strict: what two readers could read differently is refused.
"""

from __future__ import annotations

from msgspec import structs

from adjudge.documents.requests import decode_request
from adjudge.errors import NAME_SHOWN, RequestError
from adjudge.model import MEDIA_MAX_BYTES, Face, Request
from adjudge.patterns import late
from adjudge.texts import one_line

FORM_MAX_BYTES = MEDIA_MAX_BYTES + 1024 * 1024
"""The longest form: the largest face, and a MiB for all else."""
PARTS = ("request", "face")
HEADERS_MAX_BYTES = 4096
"""Of one part."""
_TYPE = late(
    r"(?i:multipart/form-data) *; *(?i:boundary)=(?:\"([0-9A-Za-z'()+_,./:=? -]{1,70})\"|([0-9A-Za-z'+_.-]{1,70}))"
)
_HEADER = late(r"([0-9A-Za-z-]{1,64}): *([ -~\x80-\U0010ffff]*)")
_DISPOSITION = late(r'(?i:form-data)((?:; *(?:(?i:name|filename)="[^"]*"|filename\*=[^;" ]*))*)')
_NAME = late(r'; *(?i:name)="([^"]*)"')


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a form. Raises RequestError."""
    found = _TYPE.fullmatch(content_type.strip())
    boundary: str = (found[1] or found[2]) if found is not None else ""
    if not boundary or boundary.endswith(" "):
        raise RequestError("must be `multipart/form-data; boundary=…`", where="Content-Type")
    return boundary.encode("ascii")


def decode_form(form: bytes, boundary: bytes) -> Request:
    """Return the request that a form holds. The kind of its face is found from the content; file names say nothing.

    Raises RequestError. Cost: a digest and a copy of the face, and what `decode_request` costs.
    """
    parts = _parts(form, boundary)
    if "request" not in parts:
        raise RequestError("is missing", where="request", hint="send the request document as the part `request`")
    request = decode_request(bytes(parts["request"]))
    if "face" not in parts:
        return request
    if request.face is not None:
        raise RequestError("is given twice, in the document and as a part", where="face")
    return structs.replace(request, face=Face.from_bytes(bytes(parts["face"])))


def _parts(form: bytes, boundary: bytes) -> dict[str, memoryview]:
    """Return the contents of the parts by their names."""
    whole, line = memoryview(form), b"--" + boundary
    if not form.startswith(line + b"\r\n"):
        raise _malformed("it does not begin with its boundary")
    delimiter = b"\r\n" + line
    parts: dict[str, memoryview] = {}
    at = len(line) + 2
    while True:
        if form.startswith(b"\r\n", at):
            raise _malformed("a part has no headers")
        begin = form.find(b"\r\n\r\n", at, at + HEADERS_MAX_BYTES)
        if begin < 0:
            raise _malformed("the headers of a part have no end, or are too long")
        end = form.find(delimiter, begin + 4)
        if end < 0 or form.startswith(line, begin + 4):
            raise _malformed("a part has no end, or begins with the boundary")
        name = _named(form[at:begin])
        if name in parts:
            raise RequestError("is given twice", where=name)
        parts[name] = whole[begin + 4 : end]
        at = end + len(delimiter)
        if form[at : at + 2] == b"--":
            if form[at + 2 :] not in (b"", b"\r\n"):
                raise _malformed("something follows its end")
            return parts
        if form[at : at + 2] != b"\r\n":
            raise _malformed("a boundary is not alone on its line")
        at += 2


def _named(headers: bytes) -> str:
    """Return the name of a part, of its headers."""
    found: dict[str, str] = {}
    try:
        lines = headers.decode().split("\r\n")
    except UnicodeDecodeError:
        raise _malformed("a header of a part is not UTF-8") from None
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None or header[1].lower() in found:
            raise _malformed("a header of a part is none, or stands twice")
        found[header[1].lower()] = header[2].strip()
    encoding = found.get("content-transfer-encoding", "binary").lower()
    if encoding not in ("binary", "8bit", "7bit"):
        raise _malformed("a part is encoded: send it as it is")
    disposition = _DISPOSITION.fullmatch(found.get("content-disposition", ""))
    names: list[str] = _NAME.findall(disposition[1]) if disposition is not None else []
    if len(names) != 1:
        raise _malformed("a part has no name")
    if names[0] not in PARTS:
        said = one_line(names[0][:NAME_SHOWN])
        raise RequestError("unknown part", where=said, hint=f"it takes {' and '.join(PARTS)}")
    return names[0]


def _malformed(why: str) -> RequestError:
    return RequestError(f"the form cannot be read: {why}", where="body")
