"""Slow statements of the algorithms in plain Python and NumPy, written from their descriptions: the kernels' judges."""
