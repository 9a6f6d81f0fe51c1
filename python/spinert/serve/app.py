"""The routes: requests to calls of the store and the worker, and back."""

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from prometheus_client import generate_latest
from pydantic import BaseModel, Field
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .metrics import REFUSED
from .review.routes import OPEN, review_routes
from .settings import LABEL, RETRY_SECONDS, Refused, Settings
from .store import Job, Store
from .upload import receive
from .worker import Worker

_REFUSED = (Refused, FormParserError, OSError, ClientDisconnect)
_MORE = {401: {"WWW-Authenticate": "Bearer"}, **dict.fromkeys((429, 503), {"Retry-After": str(RETRY_SECONDS)})}
_OPEN = ("/health", "/ready", *OPEN)  # without the token
_POLICY = (b"content-security-policy", b"default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox")


class Options(BaseModel, extra="forbid"):
    # As of Engine.diagnose_paths.
    hu_offset: float | None = Field(None, ge=-100000, le=100000, allow_inf_nan=False)
    series_uid: str | None = Field(None, pattern="^[0-9.]{1,64}$")
    allow_gaps: int = Field(0, ge=0, le=1000)
    transform: Literal["auto", "sform", "qform"] = "auto"
    fast: bool = False
    dicom_output: bool = False


def make_app(store: Store, worker: Worker, settings: Settings) -> FastAPI:
    async def allowed(request: Request) -> None:
        # A page of another site could send forms, or give its own name a loopback address.
        host, origin = request.headers.get("host", ""), request.headers.get("origin", "")
        local = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1])(:\d+)?", host)
        if origin and origin.partition("://")[2] != host or not (settings.token or local):
            raise Refused(403, "other_site", "without a token http://localhost alone may ask")
        if settings.token and request.url.path not in _OPEN:
            kind, _, given = request.headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(given.encode(), settings.token.encode()):
                raise Refused(401, "unauthorized", "expected Authorization: Bearer TOKEN")

    errors = (*_REFUSED, HTTPException, RequestValidationError)
    app = FastAPI(openapi_url=None, dependencies=[Depends(allowed)], exception_handlers=dict.fromkeys(errors, _answer))

    @app.get("/health")
    @app.get("/ready")
    async def ready() -> dict[str, str]:
        worker.check_ready()
        return {"status": "ready", "label": LABEL}

    @app.get("/metrics")
    def figures() -> Response:
        return Response(generate_latest(), media_type="text/plain; version=0.0.4")

    @app.post("/v1/jobs")
    async def submit(request: Request, options: Annotated[Options, Query()]) -> JSONResponse:
        try:
            with worker.place():
                id, folder = store.incoming()
                try:
                    files = await receive(request, folder, settings)
                    job = store.accept(id, files, options.model_dump())
                finally:
                    store.discard(id)
        except _REFUSED as wrong:
            REFUSED.labels(getattr(wrong, "error", type(wrong).__name__)).inc()
            raise
        return JSONResponse(view(job), 202, {"Location": f"/v1/jobs/{job.id}"})

    @app.get("/v1/jobs")
    def jobs(before: int = Query(1 << 53, ge=0), limit: int = Query(100, ge=1, le=1000)) -> dict[str, Any]:
        newest = [job for job in store.jobs()[::-1] if job.number < before]
        return {"jobs": [view(job) for job in newest[:limit]], "label": LABEL}

    @app.get("/v1/jobs/{id}")
    def status(id: str) -> dict[str, Any]:
        return view(known(id))

    @app.post("/v1/jobs/{id}/cancel")
    def cancel(id: str) -> dict[str, Any]:
        worker.cancel(id)
        return view(known(id))

    @app.delete("/v1/jobs/{id}")
    def delete(id: str) -> Response:
        if store.remove(id):
            return Response(status_code=204)
        raise Refused(409, "not_ended", f"the job is {known(id).state}. Cancel it first")

    @app.get("/v1/jobs/{id}/files/{name}")
    def file(id: str, name: str, study: int = Query(1, ge=1)) -> FileResponse:
        job = known(id)
        if job.state not in ("finished", "failed"):
            raise Refused(409, "not_ended", f"the job is {job.state}")
        folder = job.studies[study - 1]["folder"] if study <= len(job.studies) else ""
        if path := folder and _named(store.folder(job) / "result" / folder, name):
            return FileResponse(path, media_type="application/dicom" if path.suffix == ".dcm" else None)
        raise Refused(404, "no_file", "its report names no such file")

    def known(id: str) -> Job:
        if job := store.get(id):
            return job
        raise Refused(404, "no_job", "there is no such job")

    def view(job: Job) -> dict[str, Any]:
        return asdict(job) | ({"progress": worker.progress} if job.state == "running" else {}) | {"label": LABEL}

    app.include_router(review_routes(store, known))
    return app


def with_policy(app: FastAPI) -> Callable[[Any, Any, Any], Any]:
    """What the service hands out may run nothing. Answers with a policy of their own (the review page) keep it."""
    async def policed(scope: Any, receive: Any, send: Any) -> None:
        async def out(message: Any) -> None:
            if message["type"] == "http.response.start" and _POLICY[0] not in dict(message["headers"]):
                message = message | {"headers": [*message["headers"], _POLICY]}
            await send(message)
        await app(scope, receive, out)
    return policed


def _answer(_: Request, wrong: Exception) -> JSONResponse:
    match wrong:
        case HTTPException():
            wrong = Refused(wrong.status_code, "no_route", wrong.detail)
        case RequestValidationError():
            wrong = Refused(422, "malformed", "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in wrong.errors()))
        case FormParserError():
            wrong = Refused(400, "malformed", "the body is not multipart/form-data")
        case OSError() | ClientDisconnect():  # a client that is gone does not hear it
            wrong = Refused(507, "no_space", "the data folder cannot be written")
    body = {"error": wrong.error, "message": wrong.message, "label": LABEL}
    return JSONResponse(body, wrong.status, _MORE.get(wrong.status))


def _named(folder: Path, name: str) -> Path | None:
    """The path is made of a name that the report says was written, never of the client's."""
    report = folder / "report.json"
    written = json.loads(report.read_bytes())["volatile"]["files"] if report.is_file() else []
    for one in ("report.json", *(file["name"] for file in written)):
        if one == name == Path(one).name and (folder / one).is_file():
            return folder / one
    return None
