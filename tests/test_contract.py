"""The rules of the house that a program can check."""

import ast
import importlib
import inspect
import re
import subprocess
import sys

import pytest

from helpers import ROOT

CSRC = sorted((ROOT / "csrc").glob("*.[ch]"))
PYTHON = sorted((ROOT / "src" / "calacs").rglob("*.py"))
CYTHON = sorted((ROOT / "src" / "calacs" / "_core").glob("*.p[yx][xd]"))
DIFFERENCES = ROOT / "docs" / "differences.md"

PENDING: set[str] = set()
"""Kernels that landed before their tests."""

pytestmark = pytest.mark.skipif(not CSRC, reason="these rules are about the source tree")


def relative(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


def code_of(path):
    """C source without comments and strings."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.S)
    return re.sub(r'"(\\.|[^"\\])*"', '""', text)


def imports_of(path):
    """Modules that a Python file imports, functions' imports included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# One stem everywhere


def stems():
    return sorted({path.stem for path in CYTHON} - {"common", "__init__"})


@pytest.mark.parametrize("stem", stems())
def test_a_kernel_has_one_stem(stem):
    """Kernel, wrapper and test carry the same name."""
    assert list((ROOT / "csrc").glob(f"{stem}*.c")), f"csrc/{stem}.c"
    if stem in PENDING:
        pytest.skip(f"tests/test_{stem}.py is still to come")
    assert list((ROOT / "tests").glob(f"test_{stem}*.py")), f"tests/test_{stem}.py"
    assert re.search(rf"\bcal_{stem}_\w+\s*\(", (ROOT / "csrc" / "calacs.h").read_text()), f"cal_{stem}_... in calacs.h"


@pytest.mark.parametrize("path", CYTHON, ids=relative(CYTHON))
def test_wrappers_hold_no_arithmetic(path):
    """A wrapper checks shapes and calls C: loops over pixels belong to C."""
    text = path.read_text()
    assert "prange" not in text
    if path.suffix == ".pyx":
        assert "cdef extern" not in text, "the only extern block is that of common.pxd"


@pytest.mark.parametrize("stem", [*stems(), "common"])
def test_a_stub_is_that_of_its_wrapper(stem):
    """The same functions with the same arguments."""
    module = importlib.import_module(f"calacs._core.{stem}")
    stub = ast.parse((ROOT / "src" / "calacs" / "_core" / f"{stem}.pyi").read_text())
    functions = [node for node in stub.body if isinstance(node, ast.FunctionDef)]
    told = {node.name: [a.arg for a in [*node.args.args, node.args.vararg] if a is not None] for node in functions}
    found = {
        name: list(inspect.signature(function).parameters)
        for name, function in vars(module).items()
        if type(function).__name__ == "cython_function_or_method"
    }
    assert told == found


# The C core is a library of its own


@pytest.mark.parametrize("path", CSRC, ids=relative(CSRC))
def test_the_core_is_pure(path):
    code = code_of(path)
    for header in re.findall(r'#\s*include\s*[<"]?([\w./]+)', path.read_text()):
        assert header.split("/")[-1] not in ("Python.h", "stdio.h", "signal.h", "omp.h", "errno.h"), header
        assert not header.startswith("numpy"), header
    for word in (
        "printf",
        "fprintf",
        "sprintf",
        "puts",
        "exit",
        "abort",
        "assert",
        "setjmp",
        "longjmp",
        "getenv",
        "system",
    ):
        assert not re.search(rf"\b{word}\s*\(", code), word
    assert "#pragma omp" not in code


@pytest.mark.parametrize("path", CSRC, ids=relative(CSRC))
def test_the_core_has_no_writable_state(path):
    """Neither at file scope nor static inside functions."""
    code = re.sub(r"^\s*#(?:.*\\\n)*.*$", " ", code_of(path), flags=re.M)
    depth = 0
    outside = []
    for char in code:
        depth += {"{": 1, "}": -1}.get(char, 0)
        outside.append(char if depth == 0 else " ")
    for statement in "".join(outside).split(";"):
        words = " ".join(statement.split())
        if re.search(r"=|\[", words) and "(" not in words.split("=")[0] and not words.startswith(("typedef", "}")):
            assert "const" in words, words
    for statement in re.findall(r"\bstatic\b[^;{]*[;{=]", code):
        assert "(" in statement or "const" in statement, statement


@pytest.mark.skipif(sys.platform != "linux", reason="needs the ELF form of nm's listing")
def test_the_library_holds_no_writable_symbols():
    libraries = sorted(ROOT.glob("build/temp*/libcalacs.a"))
    try:
        command = ["nm", "--format=sysv", libraries[-1]]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (IndexError, FileNotFoundError):
        pytest.skip("there is no static library or no nm to look into")
    rows = [[cell.strip() for cell in line.split("|")] for line in listing.splitlines() if line.count("|") == 6]
    assert len(rows) > 20
    # Tables of addresses are constant, but the loader fills them in: .data.rel.ro.
    writable = [row for row in rows if re.match(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss)|\*COM", row[6])]
    assert not writable


def test_every_public_function_is_documented():
    """Purpose, Given, Returned, and a status where there is one."""
    text = (ROOT / "csrc" / "calacs.h").read_text()
    for name in re.findall(r"^\w[\w *]*\b(cal_\w+)\(", text, flags=re.M):
        assert re.search(rf"/\* {name} -- ", text), f"{name} has no comment frame"


# Python


def test_few_import_the_fits_library():
    allowed = {"src/calacs/sim/files.py", *(f"src/calacs/fits/{name}.py" for name in ("images", "tables", "writing"))}
    found = {
        path.relative_to(ROOT).as_posix()
        for path in PYTHON
        if any(module.startswith("astropy") for module in imports_of(path))
    }
    assert found <= allowed


def test_importing_is_cheap():
    """Neither astropy nor plotting nor the tasks are loaded before they are needed."""
    code = "import sys, calacs; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"astropy", "matplotlib", "scipy", "pandas", "dask", "multiprocessing", "concurrent.futures", "tomllib"}
    assert not loaded & heavy


def test_tasks_do_not_load_the_fits_library():
    """Image files are read without it."""
    code = "import sys, calacs.acsccd; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"astropy", "matplotlib", "scipy"}


@pytest.mark.parametrize("path", PYTHON, ids=relative(PYTHON))
def test_modules_say_what_they_are(path):
    if path.read_text().strip():
        assert ast.get_docstring(ast.parse(path.read_text()))


# What is kept for the sake of equality


def tagged():
    return [path for path in [*CSRC, *PYTHON, *CYTHON] if "PARITY:" in path.read_text()]


def test_behavior_kept_for_parity_says_why():
    for path in tagged():
        for match in re.finditer(r"PARITY:(.*)", path.read_text()):
            assert len(match.group(1).strip()) > 10, f"{path.name}: {match.group()}"


@pytest.mark.parametrize("path", tagged(), ids=relative(tagged()))
def test_behavior_kept_for_parity_is_documented(path):
    if not DIFFERENCES.exists():
        pytest.skip("docs/differences.md does not exist")
    assert path.name in DIFFERENCES.read_text(), (
        f"{path.name} holds a PARITY tag that docs/differences.md does not name"
    )


def test_there_is_one_place_for_the_version():
    from calacs import __version__

    assert __version__ in (ROOT / "src" / "calacs" / "_version.py").read_text()
    for name in ("pyproject.toml", "setup.py", "docs/conf.py"):
        path = ROOT / name
        assert not path.exists() or f'"{__version__}"' not in path.read_text()


def test_the_sources_name_no_foreign_paths():
    """Nothing of a developer's machine gets into the package."""
    for path in [*CSRC, *PYTHON, *CYTHON]:
        assert not re.search(r"(?<![\w.])/(opt|home|work|tmp|root)/", path.read_text()), path
