"""Figures for Prometheus. None of them names a job or a patient."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .store import ENDED, Store


class Metrics:
    def __init__(self, store: Store, limit: int) -> None:
        self._registry = here = CollectorRegistry()
        for state in ("queued", "running"):
            Gauge(f"spinert_jobs_{state}", f"Jobs that are {state}.", registry=here).set_function(
                lambda state=state: len(store.jobs(state)))
        Gauge("spinert_queue_limit", "Jobs that may wait.", registry=here).set(limit)
        self.jobs = Counter("spinert_jobs", "Jobs since the start, by outcome.", ["outcome"], registry=here)
        self.slices = Counter("spinert_slices", "Slices done since the start.", registry=here)
        self.refused = Counter("spinert_refused", "Uploads not accepted, by reason.", ["reason"], registry=here)
        self.seconds = Histogram("spinert_job_seconds", "How long jobs ran to their end.", registry=here,
                                 buckets=(1, 3, 10, 30, 100, 300, 1000, 3000))
        for outcome in ENDED:  # 0 and not absent
            self.jobs.labels(outcome)

    def text(self) -> bytes:
        return generate_latest(self._registry)
