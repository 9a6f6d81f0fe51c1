"""Many studies on a Ray cluster: a report for each, as `spinert diagnose` writes it, and a Parquet summary of all.

    ray.init()
    summary = spinert.ray.run(["/data/studies"], "/data/out")

docs/scale.md is the guide. Needs ray[data] and pyarrow.
"""

from .driver import Summary, run
from .studies import Study, find_studies

__all__ = ["Study", "Summary", "find_studies", "run"]
