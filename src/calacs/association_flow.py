"""The flow of an association: its exposures calibrated one by one, combined, and the combination calibrated.

All members are planned before the first pixel of any of them changes.  Their bias-subtracted images wait for the
combination in memory, or, where they are too many, in files that are removed afterwards.

Notes
-----
Order of tasks, names and consistency rules: HSTCAL ``pkg/acs/lib/calacs/calacs.c``, ``sciflags.c``, ``acsdth.c``.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from calacs import acs2d, acsrej, acssum, association, fits, spt
from calacs.association import Association, Member, Position
from calacs.combining import join_trailers
from calacs.door import FileDoor
from calacs.errors import AssociationError, CalacsError, FileNotReadable, HeaderProblem, WriteFailed
from calacs.exposure import Exposure
from calacs.flow import Bench, Flow, Plan, Progress, plan_exposure, refuse_existing, shared_references
from calacs.log import banner, log, muted
from calacs.overrides import Overrides
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.staging import PREFIX, Staging, Writer
from calacs.step import State, StepRecord, read_switch

HELD_BYTES = 800 * 2**20
"""Calibrated members of one position that take no more than this wait in memory; more of them wait in files."""


@dataclass(frozen=True, slots=True)
class Common:
    """What the first exposure of a position (CCDs) or of the association (SBC) says for the others.

    Attributes
    ----------
    flow : Flow
        Which tasks the exposures go through.
    references : dict of str to str
        Names of reference files.
    """

    flow: Flow
    references: dict[str, str]

    @classmethod
    def of(cls, first: Exposure) -> Common:
        """Look at the headers of the first exposure."""
        return cls(Flow.of(first), shared_references(first))


@dataclass(slots=True)
class PlannedMember:
    """One exposure of a position.

    Attributes
    ----------
    member : Member
        Row of the association table.
    path : Path
        Raw file.
    plan : Plan
        What is going to be done with it.
    """

    member: Member
    path: Path
    plan: Plan


@dataclass(slots=True)
class PlannedPosition:
    """One position of an association.

    Attributes
    ----------
    position : Position
        Rows of the association table.
    members : list of PlannedMember
        Its exposures.
    combines : bool
        Whether there is a combined product.
    common : Common
        What the first exposure says for all.
    """

    position: Position
    members: list[PlannedMember]
    combines: bool
    common: Common

    @property
    def flow(self) -> Flow:
        """Which tasks the exposures go through."""
        return self.common.flow

    @property
    def mtype(self) -> str:
        """Role of the product."""
        return self.position.product.mtype if self.position.product else ""

    def product(self, suffix: str) -> str:
        """File name of the combined product.

        PARITY: without a row for it in the table its name is the suffix alone.
        """
        root = self.position.product.name if self.position.product else ""
        return f"{root}{suffix}.fits"


class Shelf:
    """Keeps calibrated exposures until they are combined: in memory, or in files of a folder of its own.

    Parameters
    ----------
    folder : Path or None
        Where to keep files; None keeps exposures in memory.
    writer : Writer
        What writes the files.
    """

    def __init__(self, folder: Path | None, writer: Writer) -> None:
        self._folder = folder
        self._writer = writer
        self._held: dict[str, Exposure] = {}
        self._records: dict[str, list[StepRecord]] = {}
        self._written: dict[str, Future[None]] = {}

    @property
    def in_memory(self) -> bool:
        """Whether exposures wait in memory."""
        return self._folder is None

    def put(self, name: str, exposure: Exposure) -> None:
        """Keep an exposure, which must not be changed any more."""
        if self._folder is None:
            self._held[name] = exposure
        else:
            path = self._folder / name
            self._records[name] = exposure.records
            self._written[name] = self._writer.write(lambda: _write(exposure, path))

    def source(self, name: str) -> Exposure | Path:
        """What the combining tasks read."""
        if self._folder is None:
            return self._held[name]
        self._written[name].result()
        return self._folder / name

    def take(self, name: str) -> Exposure:
        """Hand an exposure back."""
        if self._folder is None:
            return self._held.pop(name)
        self._written.pop(name).result()
        exposure = fits.read_exposure(self._folder / name)
        exposure.records = self._records.pop(name)
        (self._folder / name).unlink()
        return exposure

    def wait(self) -> None:
        """Wait until nothing is being written."""
        wait(self._written.values())


def _write(exposure: Exposure, path: Path) -> None:
    fits.write_exposure(exposure, path)


@dataclass(slots=True)
class Run:
    """One run over an association.

    Attributes
    ----------
    table : Association
        The association table.
    door : FileDoor
        Options.
    given : Overrides
        What the caller replaces.
    keep_temporaries : bool
        Whether intermediate files are written.
    progress : callable or None
        Called with a text before each step.
    writer : Writer
        What writes files.
    cache : ReferenceCache
        The reference files.
    staging : Staging or None
        Where products are written; without one they are kept in memory, and no file is written or changed.
    products : dict of str to Exposure or Path
        What was made, by file name.
    """

    table: Association
    door: FileDoor
    given: Overrides
    keep_temporaries: bool = False
    progress: Progress | None = None
    writer: Writer = field(default_factory=lambda: Writer(1))
    cache: ReferenceCache = field(default_factory=ReferenceCache, repr=False)
    staging: Staging | None = field(default=None, init=False)
    products: dict[str, Exposure | Path] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the table is, and where products go."""
        return self.table.path.parent

    def calibrate(self, positions: list[PlannedPosition], staging: Staging | None = None) -> dict[str, Exposure | Path]:
        """Calibrate and combine exposures, and mark the products in the table."""
        self.staging = staging
        for planned in positions:
            if self._is_sbc:
                self._calibrate_sbc(planned)
            else:
                self._calibrate_ccd(planned)
        if staging is not None:
            self._finish(positions, staging)
        return self.products

    # planning

    def plan(self, problems: Problems) -> list[PlannedPosition]:
        """Find out what is going to be done, and everything that is wrong; positions without readable exposure are left out."""
        positions: list[PlannedPosition] = []
        for position in self.table.positions:
            planned = self._plan_position(
                position, positions[0].common if positions and self._is_sbc else None, problems
            )
            if planned is not None:
                positions.append(planned)
        if positions and not problems.found:
            with problems:
                self._check_consistency(positions)
            with problems:
                self._check_names(positions)
        return positions

    def prepare(self) -> list[PlannedPosition]:
        """Plan the run; nothing may be wrong."""
        problems = Problems()
        with muted():
            positions = self.plan(problems)
        problems.raise_all(self.table.path.name)
        for planned in positions:
            if self.table.kind and not planned.combines:
                why = f"{self._kind} exposures of the SBC" if len(planned.members) > 1 else "one exposure only"
                self.door.warn(
                    f"{self.table.path.name}: position {planned.position.number}: {why}: nothing is combined"
                )
        return positions

    @property
    def _kind(self) -> str:
        return {"CR": "cosmic-ray split", "RPT": "repeated", "": "single"}[self.table.kind]

    @property
    def _is_sbc(self) -> bool:
        return self.table.detector == "SBC"

    def _plan_position(self, position: Position, common: Common | None, problems: Problems) -> PlannedPosition | None:
        kinds = ("RPT",) if self._is_sbc else ("CR", "RPT")
        combines = len(position.members) > 1 and self.table.kind in kinds
        members: list[PlannedMember] = []
        n_problem = len(problems.found)
        for member in position.members:
            with problems, _context(f"member {member.name}"):
                path = self._find(member)
                exposure = fits.read_headers(path)
                self.given.apply(exposure)
                common = common or Common.of(exposure)
                refs = self._references(exposure, common)
                plan = plan_exposure(exposure, self.given, refs, common.flow, combined=combines)
                for problem in plan.problems.found:
                    problem.add_context(f"member {member.name}")
                    problems.add(problem)
                members.append(PlannedMember(member, path, plan))
        if common is None:
            return None
        planned = PlannedPosition(position, members, combines, common)
        if combines and len(problems.found) == n_problem:
            with problems, _context(f"product {planned.product('')[:-5] or 'without name'}"):
                self._plan_combination(planned)
        return planned

    def _plan_combination(self, planned: PlannedPosition) -> None:
        """Prepare the combination, and the calibration of its product, of headers alone."""
        if self._is_sbc:
            acssum.prepare([one.plan.exposure for one in planned.members])
            return
        for i, suffix in enumerate(self._combinations(planned)):
            inputs = [one.plan.calibrated[i] for one in planned.members]
            first, flow = planned.members[0].plan.exposure, planned.flow
            plan = acsrej.prepare(inputs, self._rejection(), refs=self._references(first, planned.common))
            if flow.image:
                product = acsrej.predict(plan, self.folder / planned.product(suffix), mtype=planned.mtype)
                acs2d.prepare(
                    product,
                    self.given,
                    refs=self._references(product, planned.common),
                    cte_corrected=bool(i),
                    expscorr=flow.expscorr,
                    switches=flow.switches,
                )

    def refuse_existing(self, positions: list[PlannedPosition]) -> None:
        """Raise OutputExists if something is in the way of a product."""
        clobber = self.door.clobber
        for planned in positions:
            for one in planned.members:
                temporaries = self.keep_temporaries
                refuse_existing(one.plan.exposure, self.folder, planned.flow, temporaries=temporaries, clobber=clobber)
            for name in self._combined_names(planned):
                fits.refuse_existing(self.folder / name, clobber=clobber)
            if planned.combines:
                members = [self.folder / f"{one.member.name}_flt.fits" for one in planned.members]
                spt.foresee(members, self.folder / planned.product(self._combinations(planned)[0]), clobber=clobber)
        if self.table.dither_product is not None:
            first = positions[0].members[0]
            members = [self.folder / f"{first.member.name}_flt.fits"]
            spt.foresee(members, self.folder / f"{self.table.dither_product.name}_dth.fits", clobber=clobber)

    def _find(self, member: Member) -> Path:
        """The raw file of a member: beside the table, or in the current folder."""
        path = association.find_exposure(self.folder, member, ["_raw"])
        if path is None:
            name = f"{member.name}_raw.fits"
            raise FileNotReadable(
                f"{name}: no such file in {self.folder.resolve()}; set MEMPRSNT to F if it does not exist"
            )
        return path

    def _check_consistency(self, positions: list[PlannedPosition]) -> None:
        first = positions[0]
        header = first.members[0].plan.exposure.primary
        switches = {name: read_switch(header, name) is State.PERFORM for name in ("CRCORR", "RPTCORR")}
        if all(switches.values()):
            raise HeaderProblem(f"{first.members[0].path.name}: CRCORR and RPTCORR are both PERFORM; set one to OMIT")
        if self._is_sbc:
            return
        # A switch that is PERFORM counts where there are exposures to combine; otherwise the table alone does.
        listed = {"CRCORR": self.table.kind == "CR", "RPTCORR": self.table.kind == "RPT"}
        several = len(first.members) > 1
        for name, perform in switches.items():
            if perform and listed[name] is not several:
                what = "several exposures of one position" if several else f"only {first.members[0].member.name}"
                raise AssociationError(
                    f"{self.table.path.name}: {name} is PERFORM in {first.members[0].path.name}, but the table lists {what} "
                    f"as present, and {self._kind} exposures; correct one of them"
                )

    def _check_names(self, positions: list[PlannedPosition]) -> None:
        seen: dict[str, int] = {}
        for planned in positions:
            for name in self._combined_names(planned):
                number = planned.position.number
                if seen.setdefault(name, number) != number:
                    raise AssociationError(
                        f"{self.table.path.name}: {name} would be the product of positions {seen[name]} and {number}; give "
                        "each a PROD row with a name of its own"
                    )

    # names and reference files

    def _references(self, exposure: Exposure, common: Common) -> References:
        given = common.references | self.given.references
        return References(exposure.primary, given, self.given.columns, self.cache)

    def _rejection(self) -> acsrej.Given:
        return acsrej.Given.of(self.given.columns)

    def _combinations(self, planned: PlannedPosition) -> tuple[str, ...]:
        """Suffixes of the combined products."""
        if self._is_sbc:
            return ("_sfl",)
        return ("_crj", "_crc") if planned.flow.cte else ("_crj",)

    def _combined_names(self, planned: PlannedPosition) -> Iterator[str]:
        if planned.combines:
            for suffix in self._combinations(planned):
                yield planned.product(suffix)
                if self.keep_temporaries and suffix != "_sfl":
                    yield planned.product(f"{suffix}_tmp")

    # calibrating

    def _deliver(self, exposure: Exposure, name: str) -> None:
        """Write a product, or keep it; it must not be changed any more."""
        self.products[name] = exposure
        if self.staging is not None:
            self.products[name] = self.folder / name
            self.staging.write(exposure, self.folder / name)

    def _keep(self, exposure: Exposure, name: str) -> None:
        """Write an intermediate exposure, if that is wanted."""
        if self.keep_temporaries and self.staging is not None:
            self._deliver(exposure, name)
            self.staging.wait()

    def _bench(self, exposure: Exposure, planned: PlannedPosition) -> Bench:
        return Bench(self.given, self._references(exposure, planned.common), self.door.n_threads, self.progress)

    def _read(self, one: PlannedMember) -> Exposure:
        exposure = fits.read_exposure(one.path, n_threads=self.door.n_threads)
        self.given.apply(exposure)
        return exposure

    @contextlib.contextmanager
    def _shelf(self, planned: PlannedPosition) -> Iterator[Shelf]:
        shapes = [imset.shape for one in planned.members for imset in one.plan.exposure.imsets]
        n_byte = sum(10 * n_row * n_col for n_row, n_col in shapes) * len(self._combinations(planned))
        with contextlib.ExitStack() as stack:
            folder = None
            if n_byte > HELD_BYTES and self.staging is not None:
                folder = self.staging.scratch
            elif n_byte > HELD_BYTES:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
            shelf = Shelf(folder, self.writer)
            stack.callback(shelf.wait)
            yield shelf

    def _calibrate_ccd(self, planned: PlannedPosition) -> None:
        with self._shelf(planned) as shelf:
            names: list[list[str]] = []
            for one in planned.members:
                with _context(f"member {one.member.name}"), self._trailer(one.member.name):
                    exposure = self._read(one)
                    names.append([])
                    for name, calibrated in self._bench(exposure, planned).level(exposure, planned.flow):
                        names[-1].append(name)
                        shelf.put(name, calibrated)
            if planned.combines:
                for i, suffix in enumerate(self._combinations(planned)):
                    self._combine(planned, shelf, [own[i] for own in names], suffix)
            for one, own in zip(planned.members, names, strict=True):
                with _context(f"member {one.member.name}"), self._trailer(one.member.name):
                    for name, suffix in zip(own, ("_flt", "_flc"), strict=False):
                        exposure = shelf.take(name)
                        self._keep(exposure, name)
                        product = f"{one.member.name}{suffix}.fits"
                        bench = self._bench(exposure, planned)
                        bench.image(exposure, planned.flow, name, product, cte_corrected=suffix == "_flc")
                        self._deliver(exposure, product)

    def _combine(self, planned: PlannedPosition, shelf: Shelf, names: list[str], suffix: str) -> None:
        """Reject cosmic rays and calibrate the combined image."""
        output = planned.product(f"{suffix}_tmp")
        members = [self.folder / name for name in names]
        suffixes = ("_blv_tmp", "_blc_tmp"), ("_crj_tmp", "_crc_tmp")
        trailer = None if self.staging is None else join_trailers(members, self.folder / output, suffixes)
        product_name = planned.product(suffix)
        with _context(f"product {product_name}"), self.door.trailer(trailer):
            files = [("Input", Path(name)) for name in names]
            with banner("acsrej", *files, ("Output", Path(output))):
                log.info("CRCORR   PERFORM")
                sources = [shelf.source(name) for name in names]
                refs = self._references(planned.members[0].plan.exposure, planned.common)
                plan = acsrej.prepare(sources, self._rejection(), refs=refs)
                product = acsrej.execute(
                    plan, output, mtype=planned.mtype, n_threads=self.door.n_threads, progress=self.progress
                )
                if plan.crmask:
                    (acsrej.flag_inputs if shelf.in_memory else acsrej.flag_files)(plan)
                log.info("CRCORR   COMPLETE")
            self._keep(product, output)
            bench = self._bench(product, planned)
            bench.image(product, planned.flow, output, product_name, cte_corrected=suffix == "_crc")
            self._deliver(product, product_name)
            if suffix == "_crj":
                self._merge_support(members, planned.product("_crj_tmp"), planned.mtype)

    def _calibrate_sbc(self, planned: PlannedPosition) -> None:
        names = []
        for one in planned.members:
            names.append(f"{one.member.name}_flt.fits")
            with _context(f"member {one.member.name}"), self._trailer(one.member.name, revise=True):
                if not planned.flow.image and self.staging is not None:
                    target = self.folder / names[-1]
                    create, clobber = self.staging.create, self.door.clobber
                    self.products[names[-1]] = fits.copy_renamed(one.path, target, clobber=clobber, create=create)
                else:
                    exposure = self._read(one)
                    bench = self._bench(exposure, planned)
                    bench.image(exposure, planned.flow, one.path.name, names[-1], cte_corrected=False)
                    self._deliver(exposure, names[-1])
        if planned.combines:
            self._sum_up(planned, names)

    def _sum_up(self, planned: PlannedPosition, names: list[str]) -> None:
        """Sum calibrated exposures of the SBC."""
        output = planned.product("_sfl")
        sources: list[Exposure | Path] = [self.products[name] for name in names]
        members = [self.folder / name for name in names]
        trailer = None
        if self.staging is not None:
            self.staging.wait()
            sources = [self.staging.find(path) for path in members]
            trailer = join_trailers(members, self.folder / output, (("_flt",), ("_sfl",)))
        files = [("Input", Path(name)) for name in names]
        with _context(f"product {output}"), self.door.trailer(trailer):
            with banner("acssum", *files, ("Output", Path(output))):
                plan = acssum.prepare(sources)
                product = acssum.execute(plan, output, mtype=planned.mtype, n_threads=self.door.n_threads)
            self._deliver(product, output)
            self._merge_support(members, output, planned.mtype)

    def _merge_support(self, inputs: Sequence[Path], output: str, mtype: str) -> None:
        """Make the support file of a combined product."""
        if self.staging is not None:
            target, create, find = self.folder / output, self.staging.create, self.staging.find
            spt.merge(inputs, target, mtype, clobber=self.door.clobber, create=create, find=find)

    def _trailer(self, name: str, *, revise: bool = False) -> AbstractContextManager[object]:
        return self.door.trailer(None if self.staging is None else self.folder / f"{name}.tra", revise=revise)

    def _finish(self, positions: list[PlannedPosition], staging: Staging) -> None:
        """Trailer of the association, support file of the dithered product, and the products' marks in the table."""
        suffix = "_sfl" if self._is_sbc and self.table.kind == "RPT" else "_crj"
        parts: list[Path] = []
        trailers: list[Path] = []
        for planned in positions:
            exposures = [self.folder / f"{one.member.name}_flt.fits" for one in planned.members]
            product = self.folder / planned.product(suffix)
            # PARITY: the product of a position counts in its support file although it was not made of one exposure.
            parts += [product] if self.table.kind else exposures
            trailers += [product] if planned.combines else exposures
        target = self.folder / f"{self.table.root}.fits"
        trailer = join_trailers(trailers, target, (("_sfl", "_crj", "_flt"), ()))
        with self.door.trailer(trailer):
            present = [one.position.product for one in positions if one.combines and one.position.product]
            dither = self.table.dither_product
            if dither is not None:
                with banner("acsdth"):
                    log.info("The dithered product %s is made by DrizzlePac, not here.", dither.name)
                    self._merge_support(parts, f"{dither.name}_dth.fits", "PROD-DTH")
                # PARITY: it counts as present although another program makes it.
                present.append(dither)
            else:
                log.debug("No DTH product name specified. No product created.")
            if dither is not None or any(one.combines for one in positions):
                association.mark_present(self.table.path, present, create=staging.update)


@contextlib.contextmanager
def _context(text: str) -> Iterator[None]:
    """Say in errors which exposure or product of the association they are about.

    Errors of writing name the file, which may be an earlier one than that which is being calibrated.
    """
    try:
        yield
    except WriteFailed:
        raise
    except CalacsError as error:
        error.add_context(text)
        raise


def process(run: Run) -> Iterator[list[Path]]:
    """Calibrate all exposures of an association table in files.

    Yields
    ------
    products : list of Path
        When everything is computed and handed over to the writer.

    Raises
    ------
    CalacsError
        The table, the exposures and earlier products are left as they were.
    """
    positions = run.prepare()
    run.refuse_existing(positions)
    with Staging(run.folder, run.writer, clobber=run.door.clobber) as staging:
        run.calibrate(positions, staging)
        staging.finish()
        yield [product for product in run.products.values() if isinstance(product, Path)]


def run(
    path: Path, given: Overrides, *, n_threads: int, progress: Progress | None, cache: ReferenceCache | None = None
) -> dict[str, Exposure]:
    """Calibrate all exposures of an association table in memory; no file is changed."""
    door = FileDoor("calacs", quiet=True, n_threads=n_threads)
    with Writer(door.n_threads) as writer:
        cache = cache or ReferenceCache()
        run = Run(read(path, door), door, given, progress=progress, writer=writer, cache=cache)
        made = run.calibrate(run.prepare())
    return {name: product for name, product in made.items() if isinstance(product, Exposure)}


def read(path: Path, door: FileDoor) -> Association:
    """Read an association table, and tell what is in it."""
    log.info("LoadAsn:  Processing FULL Association")
    table = association.read(path)
    _summarize(table)
    for member in table.absent:
        log.warning('Member "%s" is not present', member.name)
    for member in table.ignored:
        kind = member.mtype.upper()
        door.warn(f"{path.name}: row {member.row + 1}, {member.name} ({kind}), belongs to no position: left out")
    return table


def _summarize(table: Association) -> None:
    n_member = sum(len(position.members) for position in table.positions)
    n_product = 1 if table.dither_product else 0
    text = "NUMBER of MEMBERS in TABLE: %d  PRODUCTS: %d  SUB-PRODUCTS: %d"
    log.debug(text, n_member, n_product, len(table.positions))
    for position in table.positions:
        if position.product is not None:
            log.debug("Sub-product %d: %s", position.number, position.product.name)
        for member in position.members:
            log.debug("Exposure %s (%s)", member.name, member.mtype.upper())


def plan(path: Path, given: Overrides) -> tuple[list[Plan], Problems]:
    """Find out what would be done with an association; return the plans of its exposures, and all that is wrong.

    Raises
    ------
    CalacsError
        The table cannot be read, or contradicts itself.
    """
    door = FileDoor("calacs", quiet=True)
    run = Run(read(path, door), door, given)
    problems = Problems()
    positions = run.plan(problems)
    return [one.plan for planned in positions for one in planned.members], problems
