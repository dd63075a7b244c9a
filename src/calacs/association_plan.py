"""What is going to be done with an association, found out from headers and reference files before any pixel changes.

Notes
-----
Consistency rules: HSTCAL ``pkg/acs/lib/calacs/calacs.c``, ``sciflags.c``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from calacs import acs2d, acsrej, acssum, association, fits
from calacs.association import Association, Member, Position
from calacs.errors import AssociationError, CalacsError, FileNotReadable, HeaderProblem, WriteFailed
from calacs.exposure import Exposure
from calacs.flow import Flow, Plan, plan_exposure, shared_references
from calacs.overrides import Overrides
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.step import State, read_switch


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

    @property
    def beside(self) -> Path:
        """Name of its product beside the raw file, where its support file is looked for."""
        return self.path.with_name(f"{self.member.name}_flt.fits")


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
    suffixes : tuple of str
        Suffixes of the combined products.
    """

    position: Position
    members: list[PlannedMember]
    combines: bool
    common: Common
    suffixes: tuple[str, ...]

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

    def combined(self, *, temporaries: bool = False) -> Iterator[str]:
        """File names of the combined products and, with `temporaries`, of what they are made of."""
        if self.combines:
            for suffix in self.suffixes:
                yield self.product(suffix)
                if temporaries and suffix != "_sfl":
                    yield self.product(f"{suffix}_tmp")


@contextlib.contextmanager
def context(text: str) -> Iterator[None]:
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


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the exposures and combinations of an association.

    Attributes
    ----------
    table : Association
        The association table.
    given : Overrides
        What the caller replaces.
    cache : ReferenceCache
        The reference files.
    """

    table: Association
    given: Overrides
    cache: ReferenceCache = field(default_factory=ReferenceCache, repr=False)

    def plan(self, problems: Problems) -> list[PlannedPosition]:
        """Find out what is going to be done, and everything that is wrong; positions without readable exposure are left out."""
        positions: list[PlannedPosition] = []
        for position in self.table.positions:
            planned = self._plan_position(
                position, positions[0].common if positions and self.is_sbc else None, problems
            )
            if planned is not None:
                positions.append(planned)
        if positions and not problems.found:
            with problems:
                self._check_consistency(positions)
            with problems:
                self._check_names(positions)
        return positions

    @property
    def kind(self) -> str:
        """What the exposures of a position are, in words."""
        return {"CR": "cosmic-ray split", "RPT": "repeated", "": "single"}[self.table.kind]

    @property
    def is_sbc(self) -> bool:
        """Whether the exposures are those of the SBC, which has no bias level and no cosmic rays."""
        return self.table.detector == "SBC"

    def references(self, exposure: Exposure, common: Common) -> References:
        """Reference files of an exposure or of a combination."""
        given = common.references | self.given.references
        return References(exposure.primary, given, self.given.columns, self.cache)

    def rejection(self) -> acsrej.Given:
        """Parameters of the cosmic-ray rejection that the caller gives."""
        return acsrej.Given.of(self.given.columns)

    def _plan_position(self, position: Position, common: Common | None, problems: Problems) -> PlannedPosition | None:
        kinds = ("RPT",) if self.is_sbc else ("CR", "RPT")
        combines = len(position.members) > 1 and self.table.kind in kinds
        members: list[PlannedMember] = []
        n_problem = len(problems.found)
        for member in position.members:
            with problems, context(f"member {member.name}"):
                path = self._find(member)
                exposure = fits.read_headers(path)
                self.given.apply(exposure)
                common = common or Common.of(exposure)
                refs = self.references(exposure, common)
                plan = plan_exposure(exposure, self.given, refs, common.flow, combined=combines)
                for problem in plan.problems.found:
                    problem.add_context(f"member {member.name}")
                    problems.add(problem)
                members.append(PlannedMember(member, path, plan))
        if common is None:
            return None
        suffixes = ("_sfl",) if self.is_sbc else ("_crj", "_crc") if common.flow.cte else ("_crj",)
        planned = PlannedPosition(position, members, combines, common, suffixes)
        if combines and len(problems.found) == n_problem:
            with problems, context(f"product {planned.product('')[:-5] or 'without name'}"):
                self._plan_combination(planned)
        return planned

    def _plan_combination(self, planned: PlannedPosition) -> None:
        """Prepare the combination, and the calibration of its product, of headers alone."""
        if self.is_sbc:
            acssum.prepare([one.plan.exposure for one in planned.members])
            return
        for i, suffix in enumerate(planned.suffixes):
            inputs = [one.plan.calibrated[i] for one in planned.members]
            first, flow = planned.members[0].plan.exposure, planned.flow
            plan = acsrej.prepare(inputs, self.rejection(), refs=self.references(first, planned.common))
            if flow.image:
                product = acsrej.predict(plan, self.table.path.parent / planned.product(suffix), mtype=planned.mtype)
                acs2d.prepare(
                    product,
                    self.given,
                    refs=self.references(product, planned.common),
                    cte_corrected=bool(i),
                    expscorr=flow.expscorr,
                    switches=flow.switches,
                )

    def _find(self, member: Member) -> Path:
        """The raw file of a member: beside the table, or in the current folder."""
        path = association.find_exposure(self.table.path.parent, member, ["_raw"])
        if path is None:
            name = f"{member.name}_raw.fits"
            raise FileNotReadable(
                f"{name}: no such file in {self.table.path.parent.resolve()}; set MEMPRSNT to F if it does not exist"
            )
        return path

    def _check_consistency(self, positions: list[PlannedPosition]) -> None:
        first = positions[0]
        header = first.members[0].plan.exposure.primary
        switches = {name: read_switch(header, name) is State.PERFORM for name in ("CRCORR", "RPTCORR")}
        if all(switches.values()):
            raise HeaderProblem(f"{first.members[0].path.name}: CRCORR and RPTCORR are both PERFORM; set one to OMIT")
        if self.is_sbc:
            return
        # A switch that is PERFORM counts where there are exposures to combine; otherwise the table alone does.
        listed = {"CRCORR": self.table.kind == "CR", "RPTCORR": self.table.kind == "RPT"}
        several = len(first.members) > 1
        for name, perform in switches.items():
            if perform and listed[name] is not several:
                what = "several exposures of one position" if several else f"only {first.members[0].member.name}"
                raise AssociationError(
                    f"{self.table.path.name}: {name} is PERFORM in {first.members[0].path.name}, but the table lists {what} "
                    f"as present, and {self.kind} exposures; correct one of them"
                )

    def _check_names(self, positions: list[PlannedPosition]) -> None:
        seen: dict[str, int] = {}
        for planned in positions:
            for name in planned.combined():
                number = planned.position.number
                if seen.setdefault(name, number) != number:
                    raise AssociationError(
                        f"{self.table.path.name}: {name} would be the product of positions {seen[name]} and {number}; give "
                        "each a PROD row with a name of its own"
                    )
