"""Where the vendor is called: its public or VPC host, an address of the operator's, or a sandbox on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adjudge.plugin import ProviderConfigError
from adjudge_plugins.aliyun.vocabulary import DETECT_MAINLAND
from adjudge_plugins.http_exchange import is_loopback
from adjudge_plugins.settings import choice, text

OPEN_PLATFORM = "https://openplatform.aliyuncs.com"
_REGION = "ap-southeast-1"
_MAINLAND_REGION = "cn-shanghai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The addresses of one deployment, each a scheme and host without a path.

    open_platform: where an upload is authorised. is_loopback: a sandbox, so plain HTTP is allowed.
    """

    url: str
    open_platform: str
    region: str
    is_loopback: bool


def parse_endpoint(address: str, region: str = _REGION) -> Endpoint:
    """Read a host, or a URL with nothing but scheme, host and port. Raises ProviderConfigError at `endpoint`."""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    bare = host and parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    if not bare or parts.scheme not in ("https", "http"):
        raise ProviderConfigError(
            "`endpoint` must be a host, or a URL without a path",
            "endpoint",
            hint="such as https://host.example or a host",
        )
    assert host is not None
    loopback = is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise ProviderConfigError(
            "plain http is for a sandbox on this machine only", "endpoint", hint="write https, or 127.0.0.1"
        )
    name = f"[{host}]" if ":" in host else host
    url = f"{parts.scheme}://{name}" + (f":{port}" if port else "")
    return Endpoint(url=url, open_platform=url if loopback else OPEN_PLATFORM, region=region, is_loopback=loopback)


def read_endpoint(config: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint that `endpoint`, `region`, `network` and `operation` of a policy's `with:` name.

    The mainland's hosts are those of the vendor's SDK for product `cloudauth`.
    """
    is_mainland = config.get("operation") == DETECT_MAINLAND
    region = text(config, "region") or (_MAINLAND_REGION if is_mainland else _REGION)
    network = choice(config, "network", ("public", "vpc")) or "public"
    address = text(config, "endpoint")
    if address is not None:
        return parse_endpoint(address, region)
    if not region.replace("-", "").isalnum() or not region.isascii():
        raise ProviderConfigError(f"`{region}` is not a region", "region", hint=f"such as {_REGION}")
    if is_mainland:
        if network == "vpc":
            hint = "name the host under `endpoint:`"
            raise ProviderConfigError(f"no internal host of {DETECT_MAINLAND} is known", "network", hint=hint)
        host = "cloudauth.cn-beijing.aliyuncs.com" if region == "cn-beijing" else "cloudauth.aliyuncs.com"
        return parse_endpoint(host, region)
    suffix = "-vpc" if network == "vpc" else ""
    return parse_endpoint(f"cloudauth-intl{suffix}.{region}.aliyuncs.com", region)
