"""Calibration steps, one per file; the tasks put them in order."""
