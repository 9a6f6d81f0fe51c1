"""What the service is told at its start; how it refuses."""

from dataclasses import dataclass
from pathlib import Path

LABEL = "Research use only. Not for diagnostic use."
RETRY_SECONDS = 5


@dataclass(frozen=True)
class Settings:
    data: Path
    token: str | None  # None: everyone on this machine
    queue: int  # jobs that come in or wait
    max_mib: int  # of one request
    max_files: int
    upload_seconds: int
    job_seconds: int


class Refused(Exception):
    """HTTP status, a name for programs, a sentence for people."""

    def __init__(self, status: int, error: str, message: str) -> None:
        self.status, self.error, self.message = status, error, message
