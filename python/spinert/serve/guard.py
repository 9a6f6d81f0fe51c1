"""In front of every route: who may ask."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from .settings import LABEL, Refused

OPEN = ("/health", "/ready")  # for probes; they tell nothing else
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def answer(refused: Refused) -> JSONResponse:
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": refused.error, "message": refused.message, "label": LABEL}, refused.status, headers)


class Guard:
    """ASGI middleware. With a token: every route but OPEN needs it. Without: this machine only, and no page of
    another site in a browser on it (which could send forms, or give its own name a loopback address)."""

    def __init__(self, app: Any, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refused = self._check(Headers(scope=scope)) if scope["path"] not in OPEN else None
        await (answer(refused) if refused else self._app)(scope, receive, send)

    def _check(self, headers: Headers) -> Refused | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return Refused(403, "other_origin", "a page of another site may not ask")
        if self._token is None:
            name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
            return None if name in _LOOPBACK else Refused(403, "other_host", f"expected a Host of {_LOOPBACK}")
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token.encode()):
            return None
        return Refused(401, "unauthorized", "expected the header Authorization: Bearer TOKEN")
