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

MOST_BYTES = 16384  # of an edit
MOST_ROWS = 5000  # of the list
_SECONDS = 20  # for an edit to come in
_KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
          ".svg": "image/svg+xml"}
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_PAGE = {f"/review/{'' if file.name == 'index.html' else file.name}": file
         for file in Path(__file__).with_name("page").iterdir() if file.suffix in _KINDS}
OPEN = ("/", *_PAGE)  # without the token


def review_routes(store: Store, known: Callable[[str], Job]) -> APIRouter:
    """`known`: the job of an id, or Refused."""
    routes, reviews = APIRouter(), Reviews(store)

    @routes.get("/")
    def home() -> Response:
        return RedirectResponse("review/", headers=_HEADERS)

    def serve(path: str, file: Path) -> None:
        content, kind = file.read_bytes(), _KINDS[file.suffix]
        routes.add_api_route(path, lambda: Response(content, media_type=kind, headers=_HEADERS))

    for path, file in _PAGE.items():
        serve(path, file)

    @routes.get("/v1/review")
    def studies() -> dict[str, Any]:
        jobs, rows = store.jobs()[::-1], []
        for number, job in enumerate(jobs):
            if len(rows) >= MOST_ROWS:
                return {"studies": rows, "left_out": len(jobs) - number, "label": LABEL}
            rows += [_row(job, study, reviews) for study in range(1, max(len(job.studies), 1) + 1)]
        return {"studies": rows, "left_out": 0, "label": LABEL}

    @routes.get("/v1/jobs/{id}/review")
    def view(id: str, study: int = Query(1, ge=1)) -> dict[str, Any]:
        return reviews.view(known(id), study) | {"label": LABEL}

    @routes.post("/v1/jobs/{id}/review")
    async def edit(request: Request, id: str, study: int = Query(1, ge=1)) -> Response:
        given = await _edit(request)
        try:
            done = await asyncio.to_thread(reviews.edit, known(id), study, given)
        except Conflict as conflict:
            keys = ("revision", "who", "when", "kind", "vertebra", "state", "accepted")
            return JSONResponse({"error": "conflict", "message": f"{conflict.current['who']} has changed this meanwhile",
                                 "current": {key: conflict.current[key] for key in keys}, "label": LABEL}, 409)
        return JSONResponse(done | {"label": LABEL})

    @routes.get("/v1/jobs/{id}/corrections")
    def corrections(id: str, study: int = Query(1, ge=1)) -> Response:
        job = known(id)
        name = study_name(job, study)
        with reviews.lock:
            made = document(reviews.of(job, study), name)
        return JSONResponse(made, headers=_attached(f"corrections-{name}.json"))

    @routes.get("/v1/corrections")
    def all_corrections() -> Response:
        id, folder = store.incoming()
        try:
            if not write_zip(folder / "corrections.zip", reviews, store.jobs("finished")):
                raise Refused(409, "nothing_accepted", "nobody has accepted a slice of any study")
        except BaseException:
            store.discard(id)
            raise
        return FileResponse(folder / "corrections.zip", media_type="application/zip",
                            headers=_attached("corrections.zip"), background=BackgroundTask(store.discard, id))

    return routes


def _row(job: Job, study: int, reviews: Reviews) -> dict[str, Any]:
    made = job.studies[study - 1] if job.studies else {}
    keys = ("state", "number", "accepted", "error", "message")
    return {"job": job.id, "study": study, "studies": len(job.studies), "files": len(job.files),
            "name": job.files[0]["client_name"] if job.files else "", **{key: getattr(job, key) for key in keys},
            "made": {key: made.get(key) for key in ("name", "status", "alert", "error", "slices", "exit_code")},
            "review": reviews.summary(job, study)}


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


async def _edit(request: Request) -> Edit:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "not_json", "expected application/json")
    body = bytearray()

    async def read() -> None:
        async for chunk in request.stream():
            body.extend(chunk)
            if len(body) > MOST_BYTES:
                raise Refused(413, "too_large", f"expected an edit of at most {MOST_BYTES} bytes")

    try:
        await asyncio.wait_for(read(), _SECONDS)
    except asyncio.TimeoutError:
        raise Refused(408, "too_slow", "the request comes too slowly") from None
    try:
        return Edit.model_validate_json(bytes(body), strict=True)
    except ValidationError as wrong:
        text = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors())
        raise Refused(422, "malformed", text) from None
