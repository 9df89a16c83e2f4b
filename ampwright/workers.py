"""Who does the work of a batch: processes or threads of this machine, or a cluster through dask."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import Iterator

import joblib

from circuits.errors import CircuitError

BACKENDS = ("loky", "threading", "dask")


@contextmanager
def workers(backend: str = "loky", n_jobs: int = -1, scheduler: str | None = None) -> Iterator[None]:
    """A context in which joblib hands its work to a backend.

    Parameters
    ----------
    backend : {"loky", "threading", "dask"}
        Processes, threads, or dask.
    n_jobs : int
        At once; -1 is all cores.
    scheduler : str, optional
        Address of a dask scheduler; without it dask runs in threads of this process.

    Raises
    ------
    CircuitError
        For another backend, or if dask is not installed.
    """
    if backend not in BACKENDS:
        raise CircuitError(f"there is no backend {backend!r}", mend=f"Use one of {', '.join(BACKENDS)}.")
    with ExitStack() as stack:
        if backend == "dask":
            stack.enter_context(_client(scheduler))
        stack.enter_context(joblib.parallel_config(backend, n_jobs=n_jobs))
        yield


def _client(scheduler: str | None):
    try:
        from dask.distributed import Client
    except ImportError:
        raise CircuitError("dask is not installed", mend="Install it with: pip install 'ampwright[cluster]'") from None
    return Client(scheduler) if scheduler else Client(processes=False, dashboard_address=None)
