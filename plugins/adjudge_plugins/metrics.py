"""The reader `prometheus`: counts decisions, what was asked for them and what that cost, and how far readers are.

```yaml
readers: [{name: prometheus, with: {port: 9464, address: 127.0.0.1}}]
```

serves `http://127.0.0.1:9464/metrics`. With `port: 0` nothing is served: give `Metrics()` to your engine among its
`readers`, and `Metrics.registry` to whatever serves. Needs `pip install "adjudge[metrics]"`. What is counted, and how,
is in `adjudge.metrics`, which the service shows at `/metrics`, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from adjudge.metrics.metrics import Metrics as Counted
from adjudge.plugin import PluginError, Register, did_you_mean, hookimpl

if TYPE_CHECKING:
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

READER = "prometheus"
PORT, ADDRESS = 9464, "127.0.0.1"

_KEYS = ("port", "address")


class Metrics(Counted):
    """Counts decisions in a registry of its own, and serves it where it is told to. Free to use by many engines."""

    def __init__(self) -> None:
        """Make the counters. Raises PluginError where prometheus-client is missing."""
        try:
            super().__init__()
        except ImportError:
            said = 'prometheus-client is not installed: pip install "adjudge[metrics]"'
            raise PluginError(said, plugin=READER) from None
        self._server: tuple[WSGIServer, Thread] | None = None

    def serve(self, port: int = PORT, address: str = ADDRESS) -> None:
        """Serve the registry over HTTP, in a thread. Raises PluginError where the port cannot be had."""
        from prometheus_client import start_http_server

        try:
            self._server = start_http_server(port, address, self.registry)
        except (OSError, OverflowError) as error:  # of a port that is taken, and of an address that is not here
            said = getattr(error, "strerror", None) or str(error)
            raise PluginError(f"cannot serve metrics on {address}:{port}: {said}", plugin=READER) from None

    def stop(self) -> None:
        """Stop serving. No engine calls it."""
        if self._server is not None:
            server, thread = self._server
            self._server = None
            server.shutdown()
            server.server_close()
            thread.join()


def open_metrics(config: Mapping[str, Any]) -> Metrics:
    """Make the reader from its `with:`, and serve unless its port is 0. Raises PluginError."""
    for key in config:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) or f"it takes {', '.join(_KEYS)}"
            raise PluginError(f"unknown key `{key}`: {hint}", plugin=READER)
    port, address = config.get("port", PORT), config.get("address", ADDRESS)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise PluginError("`port` must be an integer from 0 to 65535", plugin=READER)
    if not isinstance(address, str) or not address:
        raise PluginError("`address` must be a string, such as 127.0.0.1", plugin=READER)
    metrics = Metrics()
    if port:
        metrics.serve(port, address)
    return metrics


@hookimpl
def register(register: Register) -> None:
    """Offer the reader."""
    register.reader(READER, open_metrics)
