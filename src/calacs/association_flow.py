"""The flow of an association: its exposures calibrated one by one, combined, and the combination calibrated.

All members are planned before the first pixel of any of them changes.  Their bias-subtracted images wait for the
combination in memory, or, where they are too many, in files that are removed afterwards.

Notes
-----
Order of tasks, names and consistency rules: HSTCAL ``pkg/acs/lib/calacs/calacs.c``, ``sciflags.c``, ``acsdth.c``.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from calacs import acs2d, acsrej, acssum, association, fits, spt
from calacs.association import Association, Member, Position
from calacs.combining import join_trailers
from calacs.door import FileDoor
from calacs.errors import AssociationError, CalacsError, FileNotReadable, HeaderProblem
from calacs.exposure import Exposure
from calacs.flow import Bench, Flow, Plan, Progress, plan_exposure, refuse_existing, shared_references
from calacs.log import banner, log
from calacs.overrides import Overrides
from calacs.refs import Problems, References
from calacs.step import State, StepRecord, read_switch

HELD_BYTES = 800 * 2**20
"""Calibrated members of one position that take no more than this wait in memory; more of them wait in files."""


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
    flow : Flow
        Which tasks it goes through.
    """

    member: Member
    path: Path
    plan: Plan
    flow: Flow


@dataclass(slots=True)
class PlannedPosition:
    """One position of an association.

    Attributes
    ----------
    position : Position
        Rows of the association table.
    members : list of PlannedMember
        Its exposures.
    shared : dict of str to str
        Reference files that the first exposure names for all.
    combines : bool
        Whether there is a combined product.
    """

    position: Position
    members: list[PlannedMember]
    shared: dict[str, str]
    combines: bool

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
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, Exposure] = {}
        self._records: dict[str, list[StepRecord]] = {}

    @property
    def in_memory(self) -> bool:
        """Whether exposures wait in memory."""
        return self._folder is None

    def put(self, name: str, exposure: Exposure) -> None:
        """Keep an exposure."""
        if self._folder is None:
            self._held[name] = exposure
        else:
            fits.write_exposure(exposure, self._folder / name)
            self._records[name] = exposure.records

    def source(self, name: str) -> Exposure | Path:
        """What the combining tasks read."""
        return self._held[name] if self._folder is None else self._folder / name

    def take(self, name: str) -> Exposure:
        """Hand an exposure back."""
        if self._folder is None:
            return self._held.pop(name)
        exposure = fits.read_exposure(self._folder / name)
        exposure.records = self._records.pop(name)
        (self._folder / name).unlink()
        return exposure


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
    """

    table: Association
    door: FileDoor
    given: Overrides
    keep_temporaries: bool = False
    progress: Progress | None = None
    folder: Path = field(default_factory=Path)
    products: list[Path] = field(default_factory=list)

    def calibrate(self) -> list[Path]:
        """Plan, calibrate, combine, and mark the products in the table."""
        positions = self._plan()
        made = []
        for planned in positions:
            if self.table.detector == "SBC":
                self._calibrate_sbc(planned)
            else:
                self._calibrate_ccd(planned)
            if planned.combines and planned.position.product is not None:
                made.append(planned.position.product)
        self._finish(positions)
        # PARITY: the dithered product counts as present although another program makes it.
        association.mark_present(
            self.table.path, [*made, *([self.table.dither_product] if self.table.dither_product else [])]
        )
        return self.products

    # planning

    def _plan(self) -> list[PlannedPosition]:
        problems = Problems()
        positions = [self._plan_position(position, problems) for position in self.table.positions]
        problems.raise_all(self.table.path.name)
        self._check_consistency(positions)
        for planned in positions:
            for one in planned.members:
                refuse_existing(
                    one.plan.exposure, self.folder, temporaries=self.keep_temporaries, clobber=self.door.clobber
                )
            for name in self._combined_names(planned):
                fits.refuse_existing(self.folder / name, clobber=self.door.clobber)
        return positions

    def _plan_position(self, position: Position, problems: Problems) -> PlannedPosition:
        planned = PlannedPosition(position, [], {}, len(position.members) > 1 and self.table.kind != "")
        for member in position.members:
            with problems, _named(member):
                path = self._find(member)
                exposure = fits.read_headers(path)
                self.given.apply(exposure)
                if not planned.members:
                    planned.shared = shared_references(exposure)
                plan = plan_exposure(exposure, self.given, self._references(exposure, planned), Problems())
                plan.problems.raise_all(path.name)
                planned.members.append(PlannedMember(member, path, plan, Flow.of(exposure)))
        if planned.combines and len(planned.members) == len(position.members) and self.table.detector != "SBC":
            with problems:
                self._plan_combination(planned)
        return planned

    def _plan_combination(self, planned: PlannedPosition) -> None:
        """Prepare the combination, and the calibration of its product, of headers alone."""
        for i, suffix in enumerate(self._combinations(planned)):
            inputs = [one.plan.calibrated[i] for one in planned.members]
            plan = acsrej.prepare(inputs, self._rejection(planned), refs=self._references(inputs[0], planned))
            if planned.members[0].flow.image:
                product = acsrej.predict(plan, self.folder / planned.product(suffix), mtype=planned.mtype)
                refs = self._references(product, planned)
                acs2d.prepare(
                    product, self.given, refs=refs, cte_corrected=bool(i), expscorr=planned.members[0].flow.expscorr
                )

    def _find(self, member: Member) -> Path:
        """The raw file of a member: beside the table, or in the current folder."""
        name = f"{member.name}_raw.fits"
        for folder in (self.folder, Path()):
            if (folder / name).is_file():
                return folder / name
        raise FileNotReadable(
            f"{name}: no such file in {self.folder.resolve()}; set MEMPRSNT to F if it does not exist"
        )

    def _check_consistency(self, positions: list[PlannedPosition]) -> None:
        first = positions[0]
        header = first.members[0].plan.exposure.primary
        switches = {name: read_switch(header, name) is State.PERFORM for name in ("CRCORR", "RPTCORR")}
        if all(switches.values()):
            raise HeaderProblem(f"{first.members[0].path.name}: CRCORR and RPTCORR are both PERFORM; set one to OMIT")
        if self.table.detector == "SBC":
            return
        alone = len(first.members) < 2
        if self.table.kind == "CR" and alone and switches["CRCORR"]:
            raise AssociationError(
                f"{self.table.path.name}: CRCORR is PERFORM, but only {first.members[0].member.name} of its set is present; "
                "set CRCORR to OMIT in the exposure, or process the raw exposure alone"
            )
        if self.table.kind == "RPT" and switches["CRCORR"]:
            raise AssociationError(
                f"{self.table.path.name}: the table lists repeat observations, but CRCORR is PERFORM in "
                f"{first.members[0].path.name}; correct one of them"
            )
        for planned in positions:
            if self.table.kind and not planned.combines:
                self.door.warn(
                    f"{self.table.path.name}: position {planned.position.number} has one exposure only: nothing is combined"
                )

    # names and reference files

    def _references(self, exposure: Exposure, planned: PlannedPosition) -> References:
        return References(exposure.primary, planned.shared | self.given.references, self.given.columns)

    def _rejection(self, planned: PlannedPosition) -> acsrej.Given:
        return acsrej.Given.of(self.given.columns)

    def _combinations(self, planned: PlannedPosition) -> tuple[str, ...]:
        """Suffixes of the combined products."""
        if self.table.detector == "SBC":
            return ("_sfl",)
        return ("_crj", "_crc") if planned.members[0].flow.cte else ("_crj",)

    def _combined_names(self, planned: PlannedPosition) -> Iterator[str]:
        if planned.combines:
            for suffix in self._combinations(planned):
                yield planned.product(suffix)
                if self.keep_temporaries and suffix != "_sfl":
                    yield planned.product(f"{suffix}_tmp")

    # calibrating

    def _write(self, exposure: Exposure, name: str) -> Path:
        path = fits.write_exposure(exposure, self.folder / name, clobber=self.door.clobber)
        self.products.append(path)
        return path

    def _bench(self, exposure: Exposure, planned: PlannedPosition) -> Bench:
        return Bench(self.given, self._references(exposure, planned), self.door.n_threads, self.progress)

    def _read(self, one: PlannedMember) -> Exposure:
        exposure = fits.read_exposure(one.path)
        self.given.apply(exposure)
        return exposure

    @contextlib.contextmanager
    def _shelf(self, planned: PlannedPosition) -> Iterator[Shelf]:
        shapes = [imset.shape for one in planned.members for imset in one.plan.exposure.imsets]
        n_byte = sum(10 * n_row * n_col for n_row, n_col in shapes) * len(self._combinations(planned))
        if n_byte <= HELD_BYTES:
            yield Shelf(None)
            return
        folder = Path(tempfile.mkdtemp(prefix=".calacs-", dir=self.folder))
        try:
            yield Shelf(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _calibrate_ccd(self, planned: PlannedPosition) -> None:
        with self._shelf(planned) as shelf:
            names: list[list[str]] = []
            for one in planned.members:
                with _named(one.member), self._trailer(one.member.name), banner("acsccd", ("Input", one.path)):
                    exposure = self._read(one)
                    names.append([])
                    for name, calibrated in self._bench(exposure, planned).level(exposure, one.flow):
                        names[-1].append(name)
                        shelf.put(name, calibrated)
            if planned.combines:
                for i, suffix in enumerate(self._combinations(planned)):
                    self._combine(planned, shelf, [own[i] for own in names], suffix)
            for one, own in zip(planned.members, names, strict=True):
                with _named(one.member), self._trailer(one.member.name), banner("acs2d", ("Input", one.path)):
                    for name, suffix in zip(own, ("_flt", "_flc"), strict=False):
                        exposure = shelf.take(name)
                        if self.keep_temporaries:
                            self._write(exposure, name)
                        product = f"{one.member.name}{suffix}.fits"
                        bench = self._bench(exposure, planned)
                        bench.image(exposure, one.flow, product, cte_corrected=suffix == "_flc")
                        self._write(exposure, product)

    def _combine(self, planned: PlannedPosition, shelf: Shelf, names: list[str], suffix: str) -> None:
        """Reject cosmic rays and calibrate the combined image."""
        output = planned.product(f"{suffix}_tmp")
        members = [self.folder / name for name in names]
        trailer = join_trailers(members, self.folder / output, (("_blv_tmp", "_blc_tmp"), ("_crj_tmp", "_crc_tmp")))
        with self.door.trailer(trailer), banner("acsrej", *(("Input", path) for path in members)):
            sources = [shelf.source(name) for name in names]
            first = planned.members[0].plan
            plan = acsrej.prepare(sources, self._rejection(planned), refs=self._references(first.exposure, planned))
            product = acsrej.execute(
                plan, output, mtype=planned.mtype, n_threads=self.door.n_threads, progress=self.progress
            )
            if plan.crmask:
                (acsrej.flag_inputs if shelf.in_memory else acsrej.flag_files)(plan)
            if suffix == "_crj":
                spt.merge(members, self.folder / planned.product("_crj_tmp"), planned.mtype, clobber=self.door.clobber)
            if self.keep_temporaries:
                self._write(product, output)
            flow = planned.members[0].flow
            name = planned.product(suffix)
            self._bench(product, planned).image(product, flow, name, cte_corrected=suffix == "_crc")
            self._write(product, name)

    def _calibrate_sbc(self, planned: PlannedPosition) -> None:
        paths = []
        for one in planned.members:
            with _named(one.member), self._trailer(one.member.name), banner("acs2d", ("Input", one.path)):
                exposure = self._read(one)
                product = f"{one.member.name}_flt.fits"
                self._bench(exposure, planned).image(exposure, one.flow, product, cte_corrected=False)
                paths.append(self._write(exposure, product))
        if planned.combines and self.table.kind == "RPT":
            output = self.folder / planned.product("_sfl")
            self.products.append(acssum.combine_files(paths, output, self.door, planned.mtype))

    def _trailer(self, name: str) -> contextlib.AbstractContextManager[object]:
        return self.door.trailer(self.folder / f"{name}.tra")

    def _finish(self, positions: list[PlannedPosition]) -> None:
        """Trailer of the association, and the support file of the dithered product."""
        made = [self.folder / name for planned in positions for name in self._combined_names(planned)]
        made = [path for path in made if "_tmp" not in path.name and "_crc" not in path.name]
        if not made:
            made = [self.folder / f"{one.member.name}_flt.fits" for planned in positions for one in planned.members]
        target = self.folder / f"{self.table.root}.fits"
        trailer = join_trailers(made, target, (("_sfl", "_crj", "_crc", "_flt", "_flc"), ()))
        with self.door.trailer(trailer):
            product = self.table.dither_product
            if product is not None:
                log.info("ACSDTH: the dithered product %s is made by DrizzlePac, not here.", product.name)
                spt.merge(made, self.folder / f"{product.name}_dth.fits", "PROD-DTH", clobber=self.door.clobber)
            log.info("CALACS completion for %s", self.table.path.name)


@contextlib.contextmanager
def _named(member: Member) -> Iterator[None]:
    """Say in errors which member of the association they are about."""
    try:
        yield
    except CalacsError as error:
        error.add_context(f"member {member.name}")
        raise


def process(
    path: Path, door: FileDoor, given: Overrides, *, keep_temporaries: bool, progress: Progress | None
) -> list[Path]:
    """Calibrate all exposures of an association table; return the products.

    Raises
    ------
    CalacsError
        The table, the exposures and earlier products are left as they were.
    """
    table = association.read(path)
    for member in table.absent:
        log.warning('Member "%s" is not present', member.name)
    for member in table.ignored:
        door.warn(
            f"{path.name}: row {member.row + 1}, {member.name} ({member.mtype.upper()}), belongs to no position: left out"
        )
    with banner("calacs", ("Input", path)):
        return Run(table, door, given, keep_temporaries, progress, path.parent).calibrate()
