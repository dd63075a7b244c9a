"""Programs with the names, options and exit statuses of the official ones: ``calacs.e``, ``acsccd.e`` ...

``calacs executables DIR`` writes launchers into a folder; whoever puts that folder on PATH can run scripts, or ACSTOOLS,
that call the official programs.  They are not installed otherwise, so that they never hide an official HSTCAL.

Everything that takes time is imported when it is needed: ``--version`` answers at once.
"""

from __future__ import annotations

import os
import sys

from calacs._version import CAL_VER, __version__
from calacs.options import PROGRAMS, SYNTAX, Options, UsageError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

FAILURE = 2
"""Exit status of a run that failed."""

INTERRUPTED = 130
MARK = "calacs.executables"
"""Text by which our launchers are known."""


def main(program: str, words: Sequence[str] | None = None) -> int:
    """Run one of the programs; return its exit status.

    Parameters
    ----------
    program : str
        Name of the program, without ``.e``.
    words : sequence of str
        Its arguments; by default those of the process.

    Returns
    -------
    int
        0 if all went well; 1 or 2 if the words make no sense, as officially; 2 after any failure, 130 after Ctrl-C.  With
        ``--official-exit``, the status of the official program, which is 0 after most failures.
    """
    try:
        status = _main(program, sys.argv[1:] if words is None else words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads the messages any more; the interpreter must not complain about that at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:
        print(f"{program}.e: interrupted; nothing half-written is left", file=sys.stderr)
        return INTERRUPTED
    return status


def _main(program: str, words: Sequence[str]) -> int:
    try:
        options = parse(program, words)
    except UsageError as error:
        if str(error):
            print(error)
        if error.usage:
            print(SYNTAX[program])
        return error.status
    if options.action:
        print(_answer(program, options.action))
        return 0
    return _run(program, options)


def _answer(program: str, action: str) -> str:
    if action == "version":
        return CAL_VER
    if action == "release":
        return f"Current version: {CAL_VER}"
    if action == "gitinfo":
        return f"git tag: calacs-{__version__}\ngit branch: \nHEAD @: "
    return SYNTAX[program]


def _run(program: str, options: Options) -> int:
    import warnings

    from calacs.errors import CalacsError, CalacsWarning

    # Doubts are among the messages already.
    warnings.simplefilter("ignore", CalacsWarning)
    if not options.quiet:
        for note in options.notes:
            print(note, flush=True)
    try:
        calls = _CALLS[program](program, options)
    except UsageError as error:
        print(error, file=sys.stderr if options.quiet else sys.stdout)
        return error.status
    except (CalacsError, ValueError, OSError) as error:
        return _fail(program, options, error)
    status = 0
    for call in calls:
        try:
            call()
        except (CalacsError, ValueError, TypeError, OSError, MemoryError) as error:
            status = _fail(program, options, error) or status
    return status


def _fail(program: str, options: Options, error: Exception) -> int:
    """Say what went wrong, and choose the exit status."""
    if options.quiet:
        print(f"{program}.e: {error}", file=sys.stderr)
    elif not getattr(error, "logged", False):
        print(f"ERROR:    {error}", flush=True)
    if not options.official_exit or program == "acsrej":
        return FAILURE
    from calacs.errors import NothingToDo

    return FAILURE if program == "calacs" and getattr(error, "status", 0) != NothingToDo.status else 0


def _split(word: str) -> list[Path]:
    """Names of a list, which are separated by commas or blanks; a file whose name has some is one name."""
    from pathlib import Path

    from calacs.names import expand

    if os.path.exists(word):
        return [Path(word)]
    return [Path(expand(name)) for name in word.replace(",", " ").split()]


def _lists(program: str, options: Options) -> tuple[list[Path], list[Path]]:
    """Input and output names, as many of one as of the other, or none."""
    lists = [_split(word) for word in options.names]
    inputs, outputs = lists[0], lists[1] if len(lists) > 1 else []
    if not inputs:
        raise UsageError(f"{options.names[0]!r} names no file", FAILURE)
    if outputs and len(outputs) != len(inputs):
        counted = " but ".join(
            f"{n} {what} file{'s' * (n > 1)}" for n, what in ((len(inputs), "input"), (len(outputs), "output"))
        )
        raise UsageError(f"You specified {counted}.", FAILURE)
    return inputs, outputs


def _exe_args(options: Options) -> list[str]:
    words = ["--pctetab", options.pctetab] if options.pctetab else []
    if options.single_core:
        return [*words, "-1"]
    return [*words, "--nthreads", str(options.n_threads)] if options.n_threads else words


def _calacs(_: str, options: Options) -> list[Callable[[], object]]:
    from pathlib import Path

    from calacs.calacs import calacs
    from calacs.names import expand

    name = options.names[0] if os.path.exists(options.names[0]) else expand(options.names[0])
    given: dict[str, Any] = {
        "time_stamps": options.time_stamps,
        "temp_files": options.temp_files,
        "verbose": options.verbose,
        "debug": options.debug,
        "quiet": options.quiet,
    }
    # The official program takes one name, as it is.
    return [lambda: calacs(Path(name), exe_args=_exe_args(options), **given)]


def _one_by_one(program: str, options: Options) -> list[Callable[[], object]]:
    """Calls of a task that makes one product of each exposure."""
    import importlib
    from functools import partial

    task = "acscteforwardmodel" if options.forward_model else program
    function = getattr(importlib.import_module(f"calacs.{task}"), task)
    inputs, outputs = _lists(program, options)
    common: dict[str, Any] = {"time_stamps": options.time_stamps, "verbose": options.verbose, "quiet": options.quiet}
    common["exe_args"] = _exe_args(options)
    if program != "acs2d" or not outputs:
        return [partial(function, [path], **common) for path in inputs]
    return [partial(function, [path], output=[target], **common) for path, target in zip(inputs, outputs, strict=True)]


def _acssum(_: str, options: Options) -> list[Callable[[], object]]:
    from calacs.acssum import acssum
    from calacs.names import with_suffix

    inputs = _split(options.names[0])
    output = options.names[1] if len(options.names) > 1 else ""
    if not output:
        if len(inputs) > 1:
            raise UsageError("name the output: that of several inputs cannot be derived", FAILURE)
        output = os.fspath(with_suffix(inputs[0], "_asn", "_sfl"))
    given: dict[str, Any] = {"time_stamps": options.time_stamps, "verbose": options.verbose, "quiet": options.quiet}
    return [lambda: acssum(inputs, output, **given)]


def _acsrej(_: str, options: Options) -> list[Callable[[], object]]:
    from pathlib import Path

    from calacs.acsrej import Given, combine_files
    from calacs.door import FileDoor, expand_exposures
    from calacs.names import expand

    inputs = _split(options.names[0])
    door = FileDoor("acsrej", time_stamps=options.time_stamps, verbose=options.verbose)
    given = Given(**options.parameters)
    return [lambda: combine_files(expand_exposures(inputs), Path(expand(options.names[1])), given, door)]


_CALLS: dict[str, Callable[[str, Options], list[Callable[[], object]]]] = {
    "calacs": _calacs,
    "acsccd": _one_by_one,
    "acscte": _one_by_one,
    "acscteforwardmodel": _one_by_one,
    "acs2d": _one_by_one,
    "acssum": _acssum,
    "acsrej": _acsrej,
}


# Launchers

_COMMAND = "import sys; from calacs.executables import main; sys.exit(main({program!r}))"


def write_launchers(folder: str | os.PathLike[str], *, windows: bool | None = None) -> list[Path]:
    """Write launchers of all programs into a folder.

    Parameters
    ----------
    folder : path-like
        Made if it does not exist.
    windows : bool
        Write those of Windows; by default, if this is Windows.

    Returns
    -------
    list of Path
        The files: ``calacs.e`` ..., and on Windows ``calacs.e.cmd`` ... too.

    Raises
    ------
    OutputExists
        The folder holds a file of such a name that is not a launcher of calacs: official programs are never replaced.
    WriteFailed
        A launcher cannot be written.
    """
    from pathlib import Path

    from calacs.errors import OutputExists, WriteFailed

    target = Path(folder)
    windows = os.name == "nt" if windows is None else windows
    made = {}
    for program in PROGRAMS:
        if windows:
            made[target / f"{program}.e.cmd"] = _batch_launcher(program)
            native = _native_launcher(program)
            if native:
                made[target / f"{program}.e"] = native
        else:
            made[target / f"{program}.e"] = _shell_launcher(program)
    for path in made:
        if path.exists() and MARK.encode() not in path.read_bytes():
            raise OutputExists(f"{path} is not a launcher of calacs, and is not replaced; choose another folder")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path, content in made.items():
            scratch = path.with_name(f".{path.name}.part")
            scratch.write_bytes(content)
            scratch.chmod(0o755)
            os.replace(scratch, path)
    except OSError as error:
        raise WriteFailed(f"{target}: the launchers cannot be written: {error.strerror}") from error
    return list(made)


def _shell_launcher(program: str) -> bytes:
    # -P: neither the current folder nor that of the launcher is searched for modules.
    import shlex

    command = _COMMAND.format(program=program)
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -c "{command}" "$@"\n'.encode()


def _batch_launcher(program: str) -> bytes:
    command = _COMMAND.format(program=program)
    return f'@"{sys.executable.replace("%", "%%")}" -P -c "{command}" %*\r\n'.encode()


def _native_launcher(program: str) -> bytes | None:
    """A program in the format of Windows, for those that do not go through the shell; None where pip is not installed."""
    import io
    import platform
    import zipfile
    from importlib import resources

    kind = "t64-arm.exe" if platform.machine().lower() in ("arm64", "aarch64") and os.name == "nt" else "t64.exe"
    try:
        stub = resources.files("pip._vendor.distlib").joinpath(kind).read_bytes()
    except (ImportError, OSError):
        return None
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", f"# {MARK}\n{_COMMAND.format(program=program)}\n")
    return stub + f'#!"{sys.executable}" -P\r\n'.encode() + archive.getvalue()
