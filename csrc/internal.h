/* internal.h -- helpers shared by the kernels; not part of the public contract. */
#ifndef CALACS_INTERNAL_H
#define CALACS_INTERNAL_H

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "calacs.h"

/* gcc has no pragma that keeps it from contracting a * b + c, and needs the option -ffp-contract=off. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

/* Kernels that do little but divide, take roots, convert or copy are compiled for AVX2 as well, and the loader takes what
 * the processor has: vectors of any width round every pixel alike.  Elsewhere there is the one version of the compiler's
 * flags. */
#if defined(__GNUC__) && __GNUC__ >= 9 && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAL_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CAL_CLONES
#endif

/* Conversion to int toward zero.  What does not fit gives INT_MIN on every machine, as x86 conversions do. */
static inline int cal_truncate(double value)
{
    return value > (double)INT_MIN - 1.0 && value < (double)INT_MAX + 1.0 ? (int)value : INT_MIN;
}

/* Are rows [row, row + n) and columns [col, col + m) inside an (n_row, n_col) image? */
static inline int cal_inside(ptrdiff_t first, ptrdiff_t last, ptrdiff_t n)
{
    return first >= 0 && first <= last && last <= n;
}

/* One row of an amplifier's view: pixel j is row[j * step]. */
typedef struct {
    ptrdiff_t first; /* element of the image */
    ptrdiff_t step;
} cal_view_row;

static inline cal_view_row cal_view(ptrdiff_t n_row, ptrdiff_t n_col, int amp, ptrdiff_t row)
{
    cal_view_row view;
    ptrdiff_t image_row = amp < 2 ? n_row - 1 - row : row;

    view.step = amp % 2 ? -1 : 1;
    view.first = image_row * n_col + (amp % 2 ? n_col - 1 : 0);
    return view;
}

#endif
