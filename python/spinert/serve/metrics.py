"""Figures for Prometheus. None of them names a job or a patient."""

from prometheus_client import Counter, Gauge, Histogram

QUEUED = Gauge("spinert_jobs_queued", "Jobs that wait.")
RUNNING = Gauge("spinert_jobs_running", "Jobs that run: 0 or 1.")
JOBS = Counter("spinert_jobs", "Jobs since the start, by outcome.", ["outcome"])
SLICES = Counter("spinert_slices", "Slices done since the start.")
REFUSED = Counter("spinert_refused", "Uploads not accepted, by reason.", ["reason"])
SECONDS = Histogram("spinert_job_seconds", "How long jobs ran.", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000))
