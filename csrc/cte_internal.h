/* cte_internal.h -- what the files of the CTE kernels share. */
#ifndef CALACS_CTE_INTERNAL_H
#define CALACS_CTE_INTERNAL_H

#include <float.h>
#include <string.h>

#include "internal.h"

/* Elements of padding around each column: a vector may run over by its width. */
#define CTE_PAD 32

/* Most lanes of a vector. */
#define CTE_LANES 8

/* Elements before each profile: a vector may begin before the row that captures. */
#define CTE_FRONT CTE_LANES

/* A row no trail reaches from. */
#define CTE_NEVER (-(1 << 28))

/* Short loops of few instructions. */
#if defined(__GNUC__) || defined(__clang__)
#define CTE_UNROLL _Pragma("GCC unroll 4")
#else
#define CTE_UNROLL
#endif

/* MSVC takes any intrinsic anywhere; setup.py gives the files of an instruction set its /arch. */
#if defined(_MSC_VER) && defined(_M_X64) && !defined(_M_ARM64EC)
#define CTE_X86
#define CTE_TARGET_PUSH(names)
#define CTE_TARGET_POP
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define CTE_X86
#define CTE_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define CTE_TARGET_PUSH(names) CTE_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define CTE_TARGET_POP CTE_PRAGMA(clang attribute pop)
#else
#define CTE_TARGET_PUSH(names) CTE_PRAGMA(GCC push_options) CTE_PRAGMA(GCC target(names))
#define CTE_TARGET_POP CTE_PRAGMA(GCC pop_options)
#endif
#endif

/* By mask of lanes: the last set lane before each lane, 0 if there is none; and the mask of lanes that have one. */
typedef struct {
    int8_t last[256][8];
    uint8_t behind[256];
} cte_lanes;

struct cal_cte_plan {
    int isa;
    ptrdiff_t n_level, n_tail, n_transfer, n_iteration;
    ptrdiff_t stride;       /* doubles from one profile to the next */
    double noise_squared;
    int fix_cosmic_rays;
    double oversubtraction;
    int plain;              /* the vector kernels' conditions on the tables hold */
    int equal;              /* all levels capture the same amount */
    const double *charge;   /* [n_level] */
    const double *amount;   /* [n_level] capture of one sub-step at unit trap density */
    const double *release;  /* [n_level][stride], zero beyond n_tail for a block and more; before each the elements
                               0, ..., 0, -1: charge that is captured is released to the negative */
    const double *held;     /* [n_level][stride] */
    const double *growth;   /* [n_level] bound on what a packet can gain, per trapped charge, in non-falling density */
    const cte_lanes *lanes;
};

/* Of one level, between blocks: the row of the last capture and what is trapped there. */
typedef struct {
    double trapped;
    ptrdiff_t row;
} cte_state;

/* Lowest levels, at which all pixels of common images capture. */
#define CTE_DENSE 16

/* One column under work.  Rows n_row and up, to the next multiple of CTE_BLOCK, are padding that captures nothing. */
#define CTE_BLOCK 64
#define CTE_LEAST_BLOCK 32
typedef struct {
    ptrdiff_t n_row;
    double *packet;    /* charge, changed by the readout */
    double *start;     /* charge before the readout */
    double *observed;
    double *density;   /* trap density */
    double *trap;      /* charge captured at each row, in units of the amount unless all are equal; a zero before row 0 */
    double *trap_most; /* [block] largest trap from the row before the block on, -1 if the density falls there */
    double *high, *low; /* [block] range of the charge */
    ptrdiff_t *reach;  /* [block] lowest level that no packet of the block reaches, or near it */
    double *dense;     /* [block][CTE_DENSE][rows of a block] change of rows that capture like the ones before them */
    unsigned char *known; /* [block][CTE_DENSE] 1 where dense is valid */
    ptrdiff_t n_known;
    float *traps;      /* the density as stored */
    cte_state *state;  /* [n_level] */
} cte_column;

/* Of a column that enters the smoothing: the largest magnitude of its pixels and smooth pixels, and the largest difference
 * between them, infinite if it is beyond float.  Non-finite pixels do not count: next to them the vector kernels get NaN, and
 * leave the pixel to the plain statement. */
typedef struct {
    double most, apart;
} cte_extent;

/* One column of one smoothing iteration.  Neighbors: [0] left, [1] the column itself, [2] right.  Columns may be read
 * one element before row 0 and CTE_PAD beyond the last one, where anything may stand: only the end rows see it. */
typedef struct {
    ptrdiff_t n_row;
    int at_edge;              /* a neighbor is missing: there is no sum over 3 x 3 pixels */
    const float *observed[3]; /* not to be read at the edge, [1] apart; smooth likewise */
    const float *smooth[3];
    const double *rest[3];    /* (observed - smooth) scale; zeros at the edge, [1] apart */
    const double *center;     /* rest[1], or zeros at the edge */
    float *result;            /* the smooth column after the iteration */
    double *rest_after;       /* (observed - result) scale */
    double *adjust, *spare;   /* [n_row] workspace */
    int32_t *flags;           /* [n_row] workspace */
    double scale;             /* 1 / four, which saves a multiplication, or 1 */
    double own_limit, own_four; /* 1 electron and 4 times read noise squared, for differences times scale */
    double block_limit, block_eighteen; /* 0.33 times read noise and 18 times its square, for sums of 9 times scale */
    double limit, four, eighteen; /* 0.33, 4 and 18 times read noise, read noise squared, the same */
    double error;             /* bound on what another order of arithmetic does to an adjustment */
} cte_smooth_task;

/* One pixel by the plain statement: result, rest_after; its square is added to `square` and 1 returned if it counts. */
int cal_cte_smooth_pixel(const cte_smooth_task *task, ptrdiff_t row, double *square);

/* The same of a pixel that the vectors left open: result and rest_after, which were made with the lower bound of the
 * adjustment, stay if the upper one gives the same. */
int cal_cte_smooth_open(const cte_smooth_task *task, ptrdiff_t row, double *square);

/* The loops over rows that exist once per instruction set. */
typedef struct {
    ptrdiff_t block; /* rows that readout takes together; 0: it needs neither trap nor trap_most */
    int scaled;      /* whether smooth takes scale = 1 / four, else 1 */
    /* One simulated readout: packet. */
    void (*readout)(const cal_cte_plan *plan, cte_column *column);
    /* packet = start - excess over observed, damped unless noise_squared is negative. */
    void (*update)(cte_column *column, double noise_squared);
    /* Copy a column and its smooth state, subtract and scale them. */
    cte_extent (*enter)(const float *observed, const float *start, ptrdiff_t n_row, double scale, float *seen,
                        float *smooth, double *rest);
    /* The smallest magnitude of a column. */
    double (*least)(const float *column, ptrdiff_t n_row);
    /* One smoothing iteration of one column: result, rest_after, and the sums of cal_cte_smooth. */
    void (*smooth)(const cte_smooth_task *task, double *square, double *count);
} cte_kernels;

/* Bits of the magnitude of a float; they sort as the values do. */
static inline uint32_t cte_magnitude(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits & UINT32_C(0x7FFFFFFF);
}

/* cte_kernels.enter, to be compiled for each instruction set. */
static inline cte_extent cte_enter(const float *CAL_RESTRICT observed, const float *CAL_RESTRICT start, ptrdiff_t n_row,
                                   double scale, float *CAL_RESTRICT seen, float *CAL_RESTRICT smooth,
                                   double *CAL_RESTRICT rest)
{
    const uint32_t infinite = UINT32_C(0x7F800000);
    uint32_t seen_most = 0, smooth_most = 0, rest_most = 0;
    cte_extent extent;
    float most, apart;

    for (ptrdiff_t row = 0; row < n_row; ++row) {
        const uint32_t o = cte_magnitude(observed[row]), s = cte_magnitude(start[row]);
        const uint32_t r = cte_magnitude(observed[row] - start[row]);

        seen[row] = observed[row];
        smooth[row] = start[row];
        rest[row] = ((double)observed[row] - (double)start[row]) * scale;
        seen_most = o > seen_most ? o : seen_most;
        smooth_most = s > smooth_most ? s : smooth_most;
        rest_most = r > rest_most ? r : rest_most;
    }
    if (seen_most >= infinite || smooth_most >= infinite || rest_most >= infinite) {
        seen_most = smooth_most = rest_most = 0;
        for (ptrdiff_t row = 0; row < n_row; ++row) {
            const uint32_t o = cte_magnitude(observed[row]), s = cte_magnitude(start[row]);
            const uint32_t r = cte_magnitude(observed[row] - start[row]);

            seen_most = o < infinite && o > seen_most ? o : seen_most;
            smooth_most = s < infinite && s > smooth_most ? s : smooth_most;
            rest_most = r <= infinite && r > rest_most ? r : rest_most;
        }
    }
    seen_most = smooth_most > seen_most ? smooth_most : seen_most;
    memcpy(&most, &seen_most, sizeof most);
    memcpy(&apart, &rest_most, sizeof apart);
    extent.most = (double)most;
    extent.apart = (double)apart;
    return extent;
}

/* cte_kernels.least, likewise. */
static inline double cte_least(const float *column, ptrdiff_t n_row)
{
    int32_t least = 0x7F800000;
    float value;

    for (ptrdiff_t row = 0; row < n_row; ++row) {
        const int32_t bits = (int32_t)cte_magnitude(column[row]);

        least = bits < least ? bits : least;
    }
    memcpy(&value, &least, sizeof value);
    return (double)value;
}

double cal_cte_least(const float *column, ptrdiff_t n_row);
cte_extent cal_cte_enter(const float *observed, const float *start, ptrdiff_t n_row, double scale, float *seen,
                         float *smooth, double *rest);
void cal_cte_smooth_scalar(const cte_smooth_task *task, double *square, double *count);

/* The kernels of an instruction set that cal_cte_isa has granted. */
const cte_kernels *cal_cte_kernels(int isa);

extern const cte_kernels cal_cte_scalar, cal_cte_baseline, cal_cte_avx2, cal_cte_avx512;

/* A block of rows through levels top .. 0, any density; returns the highest level whose trail reaches beyond, or -1. */
ptrdiff_t cal_cte_readout_block(const cal_cte_plan *plan, cte_column *column, ptrdiff_t first, ptrdiff_t n,
                                ptrdiff_t top);

#endif
