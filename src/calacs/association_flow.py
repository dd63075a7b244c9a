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

from calacs import acsrej, acssum, association, fits, spt
from calacs.association import Association
from calacs.association_plan import PlannedMember, PlannedPosition, Planner, context
from calacs.combining import join_trailers
from calacs.door import FileDoor
from calacs.exposure import Exposure
from calacs.flow import Bench, Plan, Progress, refuse_existing
from calacs.log import banner, log, muted
from calacs.overrides import Overrides
from calacs.refcache import ReferenceCache
from calacs.refs import Problems
from calacs.staging import PREFIX, Staging, Writer
from calacs.step import StepRecord

HELD_BYTES = 800 * 2**20
"""Calibrated members of one position that take no more than this wait in memory; more of them wait in files."""


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
    _planner: Planner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._planner = Planner(self.table, self.given, self.cache)

    @property
    def folder(self) -> Path:
        """Where the table is, and where products go."""
        return self.table.path.parent

    def calibrate(self, positions: list[PlannedPosition], staging: Staging | None = None) -> dict[str, Exposure | Path]:
        """Calibrate and combine exposures, and mark the products in the table."""
        self.staging = staging
        for planned in positions:
            if self._planner.is_sbc:
                self._calibrate_sbc(planned)
            else:
                self._calibrate_ccd(planned)
        if staging is not None:
            self._finish(positions, staging)
        return self.products

    def prepare(self) -> list[PlannedPosition]:
        """Plan the run; nothing may be wrong."""
        problems = Problems()
        with muted():
            positions = self._planner.plan(problems)
        problems.raise_all(self.table.path.name)
        for planned in positions:
            if self.table.kind and not planned.combines:
                why = f"{self._planner.kind} exposures of the SBC" if len(planned.members) > 1 else "one exposure only"
                self.door.warn(
                    f"{self.table.path.name}: position {planned.position.number}: {why}: nothing is combined"
                )
        return positions

    def refuse_existing(self, positions: list[PlannedPosition]) -> None:
        """Raise OutputExists if something is in the way of a product."""
        clobber = self.door.clobber
        for planned in positions:
            for one in planned.members:
                temporaries = self.keep_temporaries
                refuse_existing(one.plan.exposure, self.folder, planned.flow, temporaries=temporaries, clobber=clobber)
            for name in planned.combined(temporaries=self.keep_temporaries):
                fits.refuse_existing(self.folder / name, clobber=clobber)
            if planned.combines:
                members = [one.beside for one in planned.members]
                spt.foresee(members, self.folder / planned.product(planned.suffixes[0]), clobber=clobber)
        if self.table.dither_product is not None:
            members = [positions[0].members[0].beside]
            spt.foresee(members, self.folder / f"{self.table.dither_product.name}_dth.fits", clobber=clobber)

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
        return Bench(self.given, self._planner.references(exposure, planned.common), self.door.n_threads, self.progress)

    def _read(self, one: PlannedMember) -> Exposure:
        exposure = fits.read_exposure(one.path, n_threads=self.door.n_threads)
        self.given.apply(exposure)
        return exposure

    @contextlib.contextmanager
    def _shelf(self, planned: PlannedPosition) -> Iterator[Shelf]:
        shapes = [imset.shape for one in planned.members for imset in one.plan.exposure.imsets]
        n_byte = sum(10 * n_row * n_col for n_row, n_col in shapes) * len(planned.suffixes)
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
                with context(f"member {one.member.name}"), self._trailer(one.member.name):
                    exposure = self._read(one)
                    names.append([])
                    for name, calibrated in self._bench(exposure, planned).level(exposure, planned.flow):
                        names[-1].append(name)
                        shelf.put(name, calibrated)
            if planned.combines:
                for i, suffix in enumerate(planned.suffixes):
                    self._combine(planned, shelf, [own[i] for own in names], suffix)
            for one, own in zip(planned.members, names, strict=True):
                with context(f"member {one.member.name}"), self._trailer(one.member.name):
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
        with context(f"product {product_name}"), self.door.trailer(trailer):
            files = [("Input", Path(name)) for name in names]
            with banner("acsrej", *files, ("Output", Path(output))):
                log.info("CRCORR   PERFORM")
                sources = [shelf.source(name) for name in names]
                refs = self._planner.references(planned.members[0].plan.exposure, planned.common)
                plan = acsrej.prepare(sources, self._planner.rejection(), refs=refs)
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
                support = [one.beside for one in planned.members]
                self._merge_support(support, planned.product("_crj_tmp"), planned.mtype)

    def _calibrate_sbc(self, planned: PlannedPosition) -> None:
        names = []
        for one in planned.members:
            names.append(f"{one.member.name}_flt.fits")
            with context(f"member {one.member.name}"), self._trailer(one.member.name, revise=True):
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
        with context(f"product {output}"), self.door.trailer(trailer):
            with banner("acssum", *files, ("Output", Path(output))):
                plan = acssum.prepare(sources)
                product = acssum.execute(plan, output, mtype=planned.mtype, n_threads=self.door.n_threads)
            self._deliver(product, output)
            self._merge_support([one.beside for one in planned.members], output, planned.mtype)

    def _merge_support(self, inputs: Sequence[Path], output: str, mtype: str) -> None:
        """Make the support file of a combined product."""
        if self.staging is not None:
            target, create, find = self.folder / output, self.staging.create, self.staging.find
            spt.merge(inputs, target, mtype, clobber=self.door.clobber, create=create, find=find)

    def _trailer(self, name: str, *, revise: bool = False) -> AbstractContextManager[object]:
        return self.door.trailer(None if self.staging is None else self.folder / f"{name}.tra", revise=revise)

    def _finish(self, positions: list[PlannedPosition], staging: Staging) -> None:
        """Trailer of the association, support file of the dithered product, and the products' marks in the table."""
        suffix = "_sfl" if self._planner.is_sbc and self.table.kind == "RPT" else "_crj"
        parts: list[Path] = []
        trailers: list[Path] = []
        for planned in positions:
            exposures = [self.folder / f"{one.member.name}_flt.fits" for one in planned.members]
            product = self.folder / planned.product(suffix)
            # PARITY: the product of a position counts in its support file although it was not made of one exposure.
            parts += [product] if self.table.kind else [one.beside for one in planned.members]
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
    problems = Problems()
    positions = Planner(read(path, FileDoor("calacs", quiet=True)), given).plan(problems)
    return [one.plan for planned in positions for one in planned.members], problems
