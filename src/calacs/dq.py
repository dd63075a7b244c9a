"""Data-quality bits of ACS images.

Source: HSTCAL ``pkg/acs/include/acsdq.h`` and the ACS Data Handbook, table of data-quality flags.
"""

from __future__ import annotations

import enum

from calacs.header import Header


class DQ(enum.IntFlag):
    """Bits of the DQ planes; a pixel without any is good."""

    REED_SOLOMON = 1
    """Reed-Solomon decoding error."""
    FILL = 2
    """Data replaced by fill value."""
    BAD_DETECTOR = 4
    """Bad detector pixel."""
    MASKED = 8
    """Masked by an aperture feature."""
    HOT = 16
    """Hot pixel (dark current above a limit)."""
    UNSTABLE = 32
    """Unstable pixel, known since 2018."""
    WARM = 64
    """Warm pixel; also the place-holder of an exposure without bad pixels."""
    BIAS_STRUCTURE = 128
    """Bad column or other structure of the bias image."""
    SATURATED = 256
    """Full-well saturation (CCD) or local count-rate limit exceeded (SBC)."""
    CALIBRATION_DEFECT = 512
    """Bad pixel of a reference image (zero in a flat)."""
    SINK = 1024
    """Sink pixel, or a pixel that one spoils."""
    ATOD_SATURATED = 2048
    """A-to-D saturation."""
    COSMIC_RAY_DRIZZLE = 4096
    """Cosmic ray found when images were drizzled."""
    COSMIC_RAY = 8192
    """Cosmic ray found in a CR-SPLIT set."""
    USER = 16384
    """Free for users (ghosts, satellite trails)."""


def serious_bits(header: Header) -> int:
    """Bits that make a pixel unusable for means: SDQFLAGS of a SCI header as a signed 16-bit number, all by default."""
    flags = header.get_int("SDQFLAGS", 0xFFFF) & 0xFFFF
    return flags - 0x10000 if flags & 0x8000 else flags
