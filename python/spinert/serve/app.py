"""The routes: requests to calls of the store and the worker, and back."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .guard import Guard, answer
from .metrics import Metrics
from .settings import LABEL, Refused, Settings
from .store import Job, Store
from .upload import boundary_of, check_size, receive
from .worker import Worker

_TYPES = {".json": "application/json", ".html": "text/html; charset=utf-8", ".png": "image/png",
          ".dcm": "application/dicom"}


class Options(BaseModel):
    """As of Engine.diagnose_paths."""

    model_config = ConfigDict(extra="forbid")
    hu_offset: float | None = Field(None, ge=-100000, le=100000, allow_inf_nan=False)
    series_uid: str | None = Field(None, pattern="^[0-9.]{1,64}$")
    allow_gaps: int = Field(0, ge=0, le=1000)
    transform: Literal["auto", "sform", "qform"] = "auto"
    fast: bool = False
    dicom_output: bool = False


def make_app(store: Store, worker: Worker, settings: Settings, metrics: Metrics) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)  # its pages need a CDN
    app.add_middleware(Guard, token=settings.token)

    @app.exception_handler(Refused)
    def refused(_: Request, wrong: Refused) -> JSONResponse:
        return answer(wrong)

    @app.exception_handler(HTTPException)
    def no_route(_: Request, wrong: HTTPException) -> JSONResponse:
        return answer(Refused(wrong.status_code, "no_route", wrong.detail))

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, wrong: RequestValidationError) -> JSONResponse:
        return answer(Refused(422, "malformed", "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in wrong.errors())))

    @app.exception_handler(OSError)
    def no_disk(_: Request, wrong: OSError) -> JSONResponse:
        return answer(Refused(507, "no_space", f"the data folder cannot be used (errno {wrong.errno})"))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "live", "label": LABEL}

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        if not worker.ready():
            raise Refused(503, "not_ready", "the service takes no jobs", 10)
        return {"status": "ready", "label": LABEL}

    @app.get("/metrics")
    def figures() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.post("/v1/jobs")
    async def submit(request: Request, options: Annotated[Options, Query()]) -> JSONResponse:
        try:
            job = await accepted(request, options)
        except (Refused, OSError, ClientDisconnect) as wrong:
            metrics.refused.labels(wrong.error if isinstance(wrong, Refused) else type(wrong).__name__).inc()
            if isinstance(wrong, ClientDisconnect):
                return answer(Refused(400, "disconnected", "the request ends too early"))  # nobody hears it
            raise
        return JSONResponse(view(job), 202, {"Location": f"/v1/jobs/{job.id}"})

    async def accepted(request: Request, options: Options) -> Job:
        """On the disk before anyone hears of it; after any failure nothing of it is left."""
        boundary = boundary_of(request.headers.get("content-type", ""))
        length = int(request.headers.get("content-length", 0))
        check_size(length, settings)
        if shutil.disk_usage(settings.data).free < (settings.min_free_mib << 20) + length:
            raise Refused(507, "no_space", "the disk is nearly full. Delete jobs that are no longer needed")
        with worker.place():
            id, folder = store.incoming()
            try:
                files = await receive(request.stream(), folder, boundary, settings)
                return await asyncio.to_thread(store.accept, id, files, options.model_dump())
            finally:
                store.discard(id)

    @app.get("/v1/jobs")
    def jobs(state: Literal["queued", "running", "finished", "failed", "cancelled"] | None = None,
             before: int = Query(1 << 53, ge=0), limit: int = Query(100, ge=1, le=1000)) -> dict[str, Any]:
        """The newest first; before: the number of the last one of the page before."""
        found = [job for job in store.jobs(*[state] * bool(state)) if job.number < before]
        return {"jobs": [view(job) for job in found[::-1][:limit]], "more": len(found) > limit, "label": LABEL}

    @app.get("/v1/jobs/{id}")
    def status(id: str) -> dict[str, Any]:
        return view(known(store.get(id)))

    @app.post("/v1/jobs/{id}/cancel")
    def cancel(id: str) -> dict[str, Any]:
        return view(known(worker.cancel(id)))

    @app.delete("/v1/jobs/{id}")
    def delete(id: str) -> Response:
        if not store.remove(id):
            raise Refused(409, "not_ended", f"the job is {known(store.get(id)).state}. Cancel it first")
        return Response(status_code=204)

    @app.get("/v1/jobs/{id}/files/{name}")
    def file(id: str, name: str, study: int = Query(1, ge=1)) -> FileResponse:
        job = known(store.get(id))
        if job.state not in ("finished", "failed"):
            raise Refused(409, "not_ended", f"the job is {job.state}")
        folder = job.studies[study - 1]["folder"] if study <= len(job.studies) else ""
        path = folder and named(store.folder(job) / "result" / folder, name)
        if not path:
            raise Refused(404, "no_file", "there is no such study, or its report names no such file")
        return FileResponse(path, media_type=_TYPES.get(path.suffix, "application/octet-stream"))

    def known(job: Job | None) -> Job:
        if job is None:
            raise Refused(404, "no_job", "there is no such job")
        return job

    def view(job: Job) -> dict[str, Any]:
        progress = {"progress": worker.progress(job)} if job.state == "running" else {}
        return asdict(job) | progress | {"label": LABEL}

    return app


def named(folder: Path, name: str) -> Path | None:
    """The path is made of a name that the report says was written, never of the client's."""
    report = json.loads((folder / "report.json").read_bytes())
    for one in ["report.json", *(file["name"] for file in report["volatile"]["files"])]:
        if one == name and one == Path(one).name and not (folder / one).is_symlink() and (folder / one).is_file():
            return folder / one
    return None
