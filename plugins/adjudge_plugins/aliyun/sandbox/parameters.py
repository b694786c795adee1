"""The parameters of a detection as a sandbox reads them, and the media that they name or hold."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adjudge_plugins.aliyun.sandbox.incoming import Incoming, Refused
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.vocabulary import DETECT, DETECT_MAINLAND, DETECT_STREAM, PRODUCT_CODE

_ID_NAME: Mapping[str, str] = {DETECT: "MerchantBizId", DETECT_STREAM: "MerchantBizId", DETECT_MAINLAND: "OuterOrderNo"}
_INPUTS: Mapping[str, tuple[str, ...]] = {
    DETECT: ("FaceUrl", "FaceBase64"),
    DETECT_STREAM: ("FaceUrl", "FaceBase64", "FaceFile"),
    DETECT_MAINLAND: ("FaceUrl", "FaceBase64"),
}
_OWN = ("ProductCode", "SceneCode", "MerchantBizId", "OuterOrderNo", "FaceInputType", *_INPUTS[DETECT_STREAM])
_SCENE_CODES = {"lenient": r"[0-9A-Za-z_]{1,10}", "optional": r"[0-9A-Za-z_]{1,10}", "strict": r"[0-9A-Za-z_]{10}"}
_IDS = {"exact": r"[0-9A-Za-z]{32}", "at_most": r"[0-9A-Za-z]{1,32}"}


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or video. content: its bytes, or None where there is only a URL, which nobody fetches.

    digest: hex SHA-256 of the bytes or of the URL's text. encoded_bytes: its length as Base64, where it came so.
    """

    kind: str
    digest: str
    content: bytes | None = field(default=None, repr=False)
    encoded_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one call of an operation.

    misplaced: the names that stood in the query instead of the form, or the other way round.
    """

    operation: str
    values: Mapping[str, str] = field(repr=False)
    misplaced: tuple[str, ...] = ()

    @property
    def merchant_biz_id(self) -> str:
        """The caller's id of the check, empty where there is none."""
        return self.values.get(_ID_NAME[self.operation], "")

    def check(self, switches: Switches) -> None:
        """Raise Refused where a parameter besides the media is missing or wrong."""
        rules = {_ID_NAME[self.operation]: _IDS[switches.merchant_biz_id]}
        if self.operation != DETECT_MAINLAND:
            rules = {"ProductCode": PRODUCT_CODE, "SceneCode": _SCENE_CODES[switches.scene_code], **rules}
        for name, pattern in rules.items():
            value = self.values.get(name, "")
            if not value:
                if name == "SceneCode" and switches.scene_code == "optional":
                    continue
                raise Refused("MissingParameter", f"{name} is missing")
            if not re.fullmatch(pattern, value, re.ASCII):
                raise Refused("InvalidParameter", f"{name} is invalid")
        if self._kind not in ("IMAGE", "VIDEO"):
            raise Refused("InvalidParameter", "FaceInputType must be IMAGE or VIDEO")
        if self._kind == "VIDEO" and self.operation == DETECT and switches.intl_video == "refuse":
            raise Refused("InvalidParameter", f"FaceInputType must be IMAGE for {DETECT}")

    def media(self, find_upload: Callable[[str], bytes | None], switches: Switches) -> Media:
        """Return the one input. find_upload: returns an uploaded object by its URL. Raises Refused."""
        allowed = _INPUTS[self.operation]
        given = [name for name in allowed if self.values.get(name)]
        if not given:
            raise Refused("MissingParameter", f"one of {', '.join(allowed)} is missing")
        if len(given) > 1 and switches.several_inputs == "refuse":
            raise Refused("DataDuplication", f"only one of {', '.join(given)} may be given")
        name, value = given[0], self.values[given[0]]
        if name == "FaceBase64":
            return self._from_base64(value)
        if name == "FaceFile":
            data = find_upload(value)
            if data is not None:
                return Media(self._kind, _digest(data), data)
            if switches.face_file == "issued":
                raise Refused("DownloadTimeout", "FaceFile was not uploaded here")
        if not re.match(r"https?://[^/\s]+", value):
            raise Refused("InvalidParameter", f"{name} is not an http or https URL")
        return Media(self._kind, _digest(value.encode()))

    @property
    def _kind(self) -> str:
        return self.values.get("FaceInputType") or "IMAGE"

    def _from_base64(self, text: str) -> Media:
        if self._kind != "IMAGE":
            raise Refused("InvalidParameter", "FaceBase64 is for images only")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise Refused("InvalidParameter", "FaceBase64 is not plain Base64") from None
        return Media(self._kind, _digest(data), data, len(text))


def read_parameters(operation: str, incoming: Incoming, switches: Switches) -> Parameters:
    """Return the parameters of a call: from the query, and those of the form before them.

    A parameter in the wrong one of the two is misplaced, and overlooked where the switch is `strict`. The stream
    operation has all of its own in the form, the others have all but FaceBase64 in the query.
    """
    in_form = _OWN if operation == DETECT_STREAM else ("FaceBase64",)
    query, form = dict(incoming.query), dict(incoming.form)
    misplaced = [name for name in query if name in _OWN and name in in_form]
    misplaced += [name for name in form if name in _OWN and name not in in_form]
    values = query | form
    if switches.parameter_position == "strict":
        values = {name: value for name, value in query.items() if name not in in_form}
        values |= {name: value for name, value in form.items() if name in in_form}
    return Parameters(operation, values, tuple(misplaced))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
