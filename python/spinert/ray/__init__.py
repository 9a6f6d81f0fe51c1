"""Many studies on a Ray cluster: one report for each, as `spinert diagnose` writes it, and a Parquet summary of all.

    import ray, spinert.ray
    ray.init()
    summary = spinert.ray.run(["/data/studies"], "/data/out")
    print(summary.exit_code, summary.table.to_pylist()[0])

docs/scale.md is the guide; `python -m spinert.ray --help` the same from the command line. Needs ray[data] and pyarrow.
"""

from __future__ import annotations

from .driver import Summary, run
from .studies import Study, find_studies

__all__ = ["Study", "Summary", "find_studies", "run"]
