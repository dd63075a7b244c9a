"""Options of the official programs: what each of them accepts, and what it says about the rest.

One grammar serves the executables and the argument `exe_args` of the functions.  The module loads nothing that takes
time, so that the executables answer ``--version`` at once.

Notes
-----
Rules: HSTCAL ``pkg/acs/src/main*.c``, ``pkg/acs/lib/acscte/domaincte.c``, ``pkg/acs/lib/acsrej/rej_command.c``.
"""

from __future__ import annotations

from calacs._version import OFFICIAL_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

LETTERS = {
    "t": "time_stamps",
    "s": "temp_files",
    "v": "verbose",
    "d": "debug",
    "q": "quiet",
    "1": "single_core",
    "r": "release",
}
"""Options of one letter, which may stand together (``-tv``), and the attribute of `Options` that each sets."""

THREADS = "[-1|--nthreads <N>] [--ctegen <1|2>] [--pctetab <path>]"
COMMON = "[--help] [-t] [-v] [-q] [--version] [--gitinfo]"
SYNTAX = {
    "calacs": f"syntax:  calacs.e [--help] [-t] [-s] [-v] [-q] [-r] [--version] [--gitinfo] {THREADS} input",
    "acsccd": f"syntax:  acsccd {COMMON} input output",
    "acscte": f"syntax:  acscte.e {COMMON} {THREADS} [--forwardModelOnly] input [output]",
    "acscteforwardmodel": f"syntax:  acscteforwardmodel.e {COMMON} {THREADS} [--forwardModelOnly] input [output]",
    "acs2d": f"syntax:  acs2d {COMMON} input output",
    "acssum": f"syntax:  acssum {COMMON} input [output]",
    "acsrej": (
        "acsrej.e input output [-t] [-v]\n"
        "                    [-shadcorr] [-crmask] [-readnoise_only]\n"
        "                    [-table <filename>] [-scale #]\n"
        "                    [-init (med|min)] [-sky (none|mode)]\n"
        "                    [-sigmas #] [-radius #] [-thresh #]\n"
        "                    [-pdq #]"
    ),
}
PROGRAMS = tuple(SYNTAX)
"""Names of the programs, without ``.e``."""

CTE_PROGRAMS = ("calacs", "acscte", "acscteforwardmodel")
REJECTION_FLAGS = {"-t": "time_stamps", "-v": "verbose", "-shadcorr": "shadcorr", "-crmask": "crmask"}
REJECTION_VALUES = {
    "-table": "crrejtab",
    "-scale": "scalense",
    "-init": "initgues",
    "-sky": "skysub",
    "-sigmas": "crsigmas",
    "-radius": "crradius",
    "-thresh": "crthresh",
    "-pdq": "badinpdq",
}
"""Options of acsrej, and the parameters that they set."""

OFFICIAL_EXIT = "--official-exit"


class UsageError(ValueError):
    """The words make no sense.

    Attributes
    ----------
    status : int
        Exit status of the official program.
    usage : bool
        Whether the official program shows its syntax.
    """

    def __init__(self, text: str, status: int, *, usage: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.usage = usage


class Options:
    """What the words of a command line ask for.

    Attributes
    ----------
    action : str
        "version", "gitinfo", "help" or "release": say so and do nothing else.
    names : list of str
        Words that are no options: input and output.
    time_stamps, temp_files, verbose, debug, quiet, single_core, forward_model, official_exit : bool
        Options without value.
    n_threads : int or None
        Value of ``--nthreads``.
    pctetab : str or None
        Table for the CTE correction.
    ctegen : int or None
        Generation of the CTE correction; the table decides.
    parameters : dict
        Parameters of acsrej.
    notes : list of str
        What is to be said about the options.
    """

    def __init__(self) -> None:
        self.action = ""
        self.names: list[str] = []
        self.time_stamps = self.temp_files = self.verbose = self.debug = self.quiet = False
        self.single_core = self.release = self.forward_model = self.official_exit = False
        self.n_threads: int | None = None
        self.pctetab: str | None = None
        self.ctegen: int | None = None
        self.parameters: dict[str, Any] = {}
        self.notes: list[str] = []


def letters_of(program: str) -> str:
    """Letters that a program takes."""
    return {"calacs": "tsvdq1r", "acscte": "tvq1", "acscteforwardmodel": "tvq1"}.get(program, "tvq")


def parse(program: str, words: Sequence[str]) -> Options:
    """Read the words of a command line as the official program does.

    Raises
    ------
    UsageError
        An option is unknown or lacks its value, or there are too few or too many names.
    """
    options = Options()
    rest = [word for word in words if word != OFFICIAL_EXIT]
    options.official_exit = len(rest) < len(words)
    if program == "acsrej":
        return _parse_rejection(options, rest)
    options.forward_model = program == "acscteforwardmodel"
    queue = iter(rest)
    for word in queue:
        if not word.startswith("-"):
            options.names.append(word)
        elif word in ("--version", "--gitinfo", "--help"):
            options.action = word[2:]
            return options
        elif program in CTE_PROGRAMS and word.startswith(("--ctegen", "--pctetab", "--nthreads")):
            _take_value(options, word, queue)
        elif program in CTE_PROGRAMS[1:] and word.startswith("--forwardModelOnly"):
            options.forward_model = True
            options.notes.append("WARNING: running CTE forward model only")
        else:
            _take_letters(options, program, word)
            if options.release:
                options.action = "release"
                return options
    _check(options, program)
    return options


def _take_letters(options: Options, program: str, word: str) -> None:
    known = letters_of(program)
    strange = [letter for letter in word[1:] if letter not in known]
    for letter in word[1:] if not strange else ():
        setattr(options, LETTERS[letter], True)
    if not strange:
        return
    text = f"Unrecognized option {word}"
    if word.lower().startswith("--nthreads") and program in CTE_PROGRAMS:
        text += " (the option is --nthreads)"
    # PARITY: acscte names an unknown letter and works on.
    if program in CTE_PROGRAMS[1:] and not word.startswith("--"):
        options.notes += [text, SYNTAX[program]]
        for letter in word[1:]:
            if letter in known:
                setattr(options, LETTERS[letter], True)
        return
    raise UsageError(text, 2 if program in CTE_PROGRAMS else 1, usage=True)


def _take_value(options: Options, word: str, queue: Iterator[str]) -> None:
    name = word.partition("=")[0]
    if name != word:
        raise UsageError(f"ERROR: {name} takes the next word as its value: {name} {word[len(name) + 1 :]}", 2)
    value = next(queue, None)
    if word.startswith("--ctegen"):
        if value is None:
            raise UsageError("ERROR: --ctegen - CTE algorithm generation not specified.", 1)
        options.ctegen = leading_int(value)
        if options.ctegen not in (1, 2):
            raise UsageError("ERROR: --ctegen - value out of range. Please specify either generation 1 or 2.", 1)
    elif word.startswith("--pctetab"):
        if value is None:
            raise UsageError("ERROR: --pctetab - no file specified", 1)
        options.pctetab = value
    else:
        if value is None:
            raise UsageError("ERROR: --nthreads - number of threads not specified", 1)
        options.n_threads = max(leading_int(value), 1)


def _check(options: Options, program: str) -> None:
    n_name = len(options.names)
    if program == "calacs" and n_name != 1:
        raise UsageError(f"CALACS Version {OFFICIAL_VERSION}", 2, usage=True)
    if program == "acsccd" and n_name > 2:
        raise UsageError("ERROR: Too many arguments", 2, usage=True)
    if not 1 <= n_name <= 2:
        raise UsageError("\n".join(options.notes), 2, usage=True)
    if options.forward_model and options.ctegen == 1:
        text = "ERROR:    --forwardModelOnly NOT compatible with 1st generation CTE algorithm"
        raise UsageError(text, 1111 % 256)
    if options.single_core and options.n_threads is not None:
        options.notes.append("Warning    Option '-1' takes precedence when used in conjunction with '--nthreads <N>'")
    if options.pctetab is not None:
        options.notes += [f"WARNING: using pcteTab file '{options.pctetab}'"] if program == "calacs" else []
        options.notes.append(f"(pctecorr) Using cmd line specified PCTETAB file: '{options.pctetab}'")
    if options.ctegen is not None:
        options.notes.append(f"(pctecorr) Using generation {options.ctegen} CTE algorithm")


def _parse_rejection(options: Options, words: Sequence[str]) -> Options:
    if len(words) < 2:
        raise UsageError(f"Syntax error: {SYNTAX['acsrej']}", 2)
    options.names = list(words[:2])
    take_rejection_options(options, words[2:])
    return options


def take_rejection_options(options: Options, words: Sequence[str]) -> None:
    """Read the options of acsrej.

    Raises
    ------
    UsageError
        An option is unknown or lacks its value.
    """
    queue = iter(words)
    for word in queue:
        option = word.rstrip()  # ACSTOOLS writes '-thresh '
        if option in REJECTION_FLAGS:
            name = REJECTION_FLAGS[option]
            if hasattr(options, name):
                setattr(options, name, True)
            else:
                options.parameters[name] = True
        elif option in REJECTION_VALUES:
            value = next(queue, None)
            if value is None:
                raise UsageError(f"Syntax error: {word}", 2)
            options.parameters[REJECTION_VALUES[option]] = _rejection_value(option, value)
        elif option == "-newbias":
            raise UsageError("The option -newbias of ACSREJ is called -readnoise_only now.", 2)
        elif option != "-readnoise_only":
            raise UsageError(f"Syntax error: {word}", 2)


def _rejection_value(option: str, text: str) -> str | int | float:
    if option in ("-scale", "-radius", "-thresh"):
        return leading_float(text)
    if option == "-pdq":
        return (leading_int(text) + 2**15) % 2**16 - 2**15
    return text


def leading_int(text: str) -> int:
    """Whole number at the beginning of a text, as C reads it; 0 where there is none."""
    text = text.lstrip()
    end = 1 if text[:1] in ("+", "-") else 0
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return int(text[:end]) if text[:end].strip("+-") else 0


def leading_float(text: str) -> float:
    """Number at the beginning of a text, as C reads it; 0 where there is none."""
    text = text.strip()
    for end in range(len(text), 0, -1):
        if "_" in text[:end]:
            continue
        try:
            return float(text[:end])
        except ValueError:
            continue
    return 0.0


def parse_exe_args(task: str, words: Sequence[str] | None) -> Options:
    """Read the argument `exe_args` of a function.

    Options on threads are taken for every task, and ``--nThreads``, as the documents of ACSTOOLS have it, means
    ``--nthreads``.

    Raises
    ------
    ValueError
        A word means nothing to the task.
    """
    options = Options()
    if isinstance(words, str):
        raise ValueError(f"exe_args must be a list of words, not the text {words!r}")
    queue = iter(words or ())
    others: list[str] = []
    for word in queue:
        if word.partition("=")[0].lower() == "--nthreads":
            options.n_threads = _number_of_threads(word, queue)
        elif task in CTE_PROGRAMS and word in ("--ctegen", "--pctetab"):
            value = next(queue, "")
            if not value:
                raise ValueError(f"exe_args: {word} needs a value")
            if word == "--pctetab":
                options.pctetab = value
            elif value not in ("1", "2"):
                raise ValueError(f"exe_args: --ctegen must be 1 or 2, not {value!r}")
            else:
                options.ctegen = int(value)
        elif task in CTE_PROGRAMS[1:] and word == "--forwardModelOnly":
            options.forward_model = True
        elif task == "acsrej" and word not in ("-1", "-q"):
            others.append(word)
            if word.rstrip() in REJECTION_VALUES:
                others += [value for value in [next(queue, None)] if value is not None]
        elif word[:1] == "-" and word[1:] and set(word[1:]) <= set(letters_of(task).replace("r", "") + "1"):
            for letter in word[1:]:
                setattr(options, LETTERS[letter], True)
        else:
            raise ValueError(f"exe_args: {word!r} means nothing to {task}; use {', '.join(_known(task))}")
    try:
        take_rejection_options(options, others)
    except UsageError as error:
        word = str(error).removeprefix("Syntax error: ")
        raise ValueError(f"exe_args: {word!r} makes no sense to {task}; use {', '.join(_known(task))}") from None
    if options.forward_model and options.ctegen == 1:
        raise ValueError("exe_args: --ctegen 1 has no forward model; use generation 2")
    return options


def _known(task: str) -> list[str]:
    known = ["--nthreads N", "-1"]
    known += ["--pctetab FILE", "--ctegen N"] if task in CTE_PROGRAMS else []
    known += ["--forwardModelOnly"] if task in CTE_PROGRAMS[1:] else []
    if task == "acsrej":
        return [*known, *REJECTION_FLAGS, "-readnoise_only", *(f"{name} VALUE" for name in REJECTION_VALUES)]
    return known + [f"-{letter}" for letter in letters_of(task) if letter not in "1r"]


def _number_of_threads(word: str, queue: Iterator[str]) -> int:
    if "=" in word:
        raise ValueError(f"exe_args: {word!r} makes no sense; the number of threads is a word of its own")
    text = next(queue, "")
    try:
        return max(int(text), 1)
    except ValueError:
        raise ValueError(f"exe_args: --nthreads needs a whole number, not {text!r}") from None
