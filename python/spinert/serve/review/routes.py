"""The routes of the review page: its files, which hold no data, and what it asks for."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from pydantic import ValidationError
from starlette.background import BackgroundTask

from ..settings import LABEL, Refused
from ..store import Job, Store
from .corrections import Conflict, Edit, Reviews
from .export import document, study_name, write_zip

_MOST_BYTES, _SECONDS = 16384, 20  # of an edit
_MOST_JOBS = 5000  # of the list
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {"Referrer-Policy": "no-referrer", "Content-Security-Policy":
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"}
_PAGE = {f"/review/{file.name.removesuffix('index.html')}": (file.read_bytes(), _KINDS[file.suffix])
         for file in Path(__file__).with_name("page").iterdir() if file.suffix in _KINDS}
OPEN = ("/", *_PAGE)  # without the token


def review_routes(store: Store, known: Callable[[str], Job]) -> APIRouter:
    """`known`: the job of an id, or Refused."""
    routes, reviews = APIRouter(), Reviews(store)

    @routes.get("/")
    def home() -> Response:
        return RedirectResponse("review/", headers=_HEADERS)

    async def page(request: Request) -> Response:
        content, kind = _PAGE[request.url.path]
        return Response(content, media_type=kind, headers=_HEADERS)

    for path in _PAGE:
        routes.add_api_route(path, page)

    @routes.get("/v1/review")
    def studies() -> dict[str, Any]:
        jobs = store.jobs()[::-1]
        return {"studies": [_row(job, study, reviews) for job in jobs[:_MOST_JOBS] for study in range(1, max(len(job.studies), 1) + 1)],
                "left_out": len(jobs[_MOST_JOBS:]), "label": LABEL}

    @routes.get("/v1/jobs/{id}/review")
    def view(id: str, study: int = Query(1, ge=1)) -> dict[str, Any]:
        return reviews.view(known(id), study) | {"label": LABEL}

    @routes.post("/v1/jobs/{id}/review")
    async def edit(request: Request, id: str, study: int = Query(1, ge=1)) -> Response:
        given = await _edit(request)
        try:
            return JSONResponse(await asyncio.to_thread(reviews.edit, known(id), study, given) | {"label": LABEL})
        except Conflict as conflict:
            return JSONResponse({"error": "conflict", "message": f"{conflict.current['who']} has changed this meanwhile",
                                 "current": conflict.current, "label": LABEL}, 409)

    @routes.get("/v1/jobs/{id}/corrections")
    def corrections(id: str, study: int = Query(1, ge=1)) -> dict[str, Any]:
        job = known(id)
        with reviews.lock:
            return document(reviews.of(job, study), study_name(job, study))

    @routes.get("/v1/corrections")
    def all_corrections() -> Response:
        id, folder = store.incoming()
        try:
            write_zip(folder / "corrections.zip", reviews, store.jobs("finished"))
        except BaseException:
            store.discard(id)
            raise
        return FileResponse(folder / "corrections.zip", background=BackgroundTask(store.discard, id))

    return routes


def _row(job: Job, study: int, reviews: Reviews) -> dict[str, Any]:
    return {"job": job.id, "study": study, "studies": len(job.studies), "files": len(job.files),
            "name": job.files[0]["client_name"] if job.files else "", "made": job.studies[study - 1] if job.studies else {},
            "review": reviews.summary(job, study),
            **{key: getattr(job, key) for key in ("state", "number", "accepted", "error", "message")}}


async def _edit(request: Request) -> Edit:
    if request.headers.get("content-type") != "application/json":
        raise Refused(415, "not_json", "expected application/json")
    body = bytearray()

    async def read() -> None:
        async for chunk in request.stream():
            body.extend(chunk)
            if len(body) > _MOST_BYTES:
                raise Refused(413, "too_large", f"expected an edit of at most {_MOST_BYTES} bytes")

    try:
        await asyncio.wait_for(read(), _SECONDS)
        return Edit.model_validate_json(bytes(body), strict=True)
    except asyncio.TimeoutError:
        raise Refused(408, "too_slow", "the request comes too slowly") from None
    except ValidationError as wrong:
        raise Refused(422, "malformed", "; ".join(f"{one['loc']}: {one['msg']}" for one in wrong.errors())) from None
