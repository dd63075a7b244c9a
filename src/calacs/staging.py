"""All products of a run or none: they are written out of sight, and get their names together.

::

    with Writer(n_threads) as writer, Staging(folder, writer) as staging:
        staging.write(exposure, folder / "x_flt.fits")
        staging.write(other, folder / "x_flc.fits")

What fails, a full disk or Ctrl-C included, leaves the folder as it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import IO

from calacs import fits
from calacs.errors import WriteFailed
from calacs.exposure import Exposure

PREFIX = ".calacs-"
"""How the names of hidden folders begin; a run that is killed leaves one behind."""


class Writer:
    """Writes products: at once, or in a thread of its own while the next one is computed.

    Parameters
    ----------
    n_threads : int
        Threads of the run; with 1, everything happens in the calling thread.

    Notes
    -----
    A product that is ready waits until the one before it is written.  So there is one exposure more in memory than is
    being calibrated, and never two.
    """

    def __init__(self, n_threads: int) -> None:
        self._pool = ThreadPoolExecutor(1, "calacs-writer") if n_threads > 1 else None
        self._product: Future[None] | None = None

    def write(self, job: Callable[[], None]) -> Future[None]:
        """Write a product when the one before it is written."""
        if self._product is not None:
            wait([self._product])
        self._product = self.then(job)
        return self._product

    def then(self, job: Callable[[], None]) -> Future[None]:
        """Do something when everything handed over before is done."""
        if self._pool is not None:
            return self._pool.submit(job)
        done: Future[None] = Future()
        try:
            job()
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)
        return done

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=kind is not None)


class Staging:
    """A hidden folder where the products of one run wait for each other.

    Parameters
    ----------
    folder : Path
        Where the products go; the hidden folder is made in it, so that names can change without copies.
    writer : Writer
        What writes.
    clobber : bool
        Whether earlier products are replaced.

    Raises
    ------
    WriteFailed
        No folder can be made there.
    """

    def __init__(self, folder: Path, writer: Writer, *, clobber: bool = False) -> None:
        self._writer = writer
        self._clobber = clobber
        self._targets: dict[Path, bool] = {}
        self._jobs: list[Future[None]] = []
        self._finished = False
        # The current folder may be another one when the products get their names.
        self._folder = Path(os.path.abspath(folder))
        try:
            self._hidden = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._folder))
        except OSError as error:
            raise WriteFailed(
                f"{self._folder}: no products can be written there: {error.strerror}; check the folder and its permissions"
            ) from error
        self._earlier = self._hidden / "earlier"
        self._renamed = False

    @property
    def scratch(self) -> Path:
        """Folder for files that vanish at the end of the run."""
        path = self._hidden / "scratch"
        path.mkdir(exist_ok=True)
        return path

    def write(self, exposure: Exposure, path: Path) -> None:
        """Write a product; the exposure must not be changed any more until `wait` returns.

        Raises
        ------
        WriteFailed
            This product, or one before it, cannot be written.
        """
        self._raise_failures()
        self._jobs.append(self._writer.write(lambda: self._write(exposure, path)))
        self._raise_failures()

    def _write(self, exposure: Exposure, path: Path) -> None:
        fits.write_exposure(exposure, path, clobber=self._clobber, create=self.create)

    @contextlib.contextmanager
    def create(self, path: Path) -> Iterator[IO[bytes]]:
        """Open a new file that will be called `path`."""
        with fits.new_file(self._hidden / path.name, path) as file:
            yield file
        self._targets[self._folder / path.name] = self._clobber

    @contextlib.contextmanager
    def update(self, path: Path) -> Iterator[IO[bytes]]:
        """Open a new file that will replace an existing one; the last one, so that it is the last to get its name."""
        self.wait()
        with self.create(path) as file:
            yield file
        self._targets[self._folder / path.name] = True

    def find(self, path: Path) -> Path:
        """Where a file is that may be a product of this run."""
        return self._hidden / path.name if self._folder / path.name in self._targets else path

    def wait(self) -> None:
        """Wait until everything is written.

        Raises
        ------
        WriteFailed
            A product cannot be written.
        """
        wait(self._jobs)
        self._raise_failures()

    def _raise_failures(self) -> None:
        for job in self._jobs:
            if job.done():
                job.result()

    def finish(self) -> None:
        """Let the products get their names as soon as all of them are written; nothing may be added afterwards."""
        self._finished = True
        self._jobs.append(self._writer.then(self._rename))

    def _rename(self) -> None:
        """Give the products their names, in the order in which they were written; put everything back on failure."""
        self._raise_failures()
        begun: list[Path] = []
        try:
            for path, clobber in self._targets.items():
                begun.append(path)
                fits.refuse_existing(path, clobber=clobber)
                if os.path.lexists(path):
                    self._earlier.mkdir(exist_ok=True)
                    os.replace(path, self._earlier / path.name)
                os.replace(self._hidden / path.name, path)
        except BaseException as error:
            self._put_back(begun)
            if not isinstance(error, OSError):
                raise
            kept = f"earlier products are in {self._earlier}" if self._holds_earlier else "nothing was changed"
            raise WriteFailed(f"{begun[-1]}: cannot be created or replaced: {error.strerror}; {kept}") from error
        self._renamed = True

    def _put_back(self, paths: list[Path]) -> None:
        for path in reversed(paths):
            new, earlier = self._hidden / path.name, self._earlier / path.name
            with contextlib.suppress(OSError):
                if not new.exists():
                    os.replace(path, new)
                if os.path.lexists(earlier):
                    os.replace(earlier, path)

    @property
    def _holds_earlier(self) -> bool:
        """Whether the only copies of earlier products are here, because they could not be put back."""
        return not self._renamed and self._earlier.is_dir() and any(self._earlier.iterdir())

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish, or, after a failure, forget what was written."""
        try:
            if kind is None:
                if not self._finished:
                    self.finish()
                self.wait()
        finally:
            try:
                self._remove()
            except KeyboardInterrupt:
                self._remove()
                raise

    def _remove(self) -> None:
        """Remove the hidden folder; Ctrl-C may have ended the waiting for the writer, which may be working on it still."""
        for job in self._jobs:
            job.cancel()
        wait(self._jobs)
        if not self._holds_earlier:
            shutil.rmtree(self._hidden, ignore_errors=True)
