/* cte.c -- the trap model, the inverse of a readout, readout cosmic rays. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "cte_internal.h"

#if defined(CTE_X86) && defined(_MSC_VER)
#include <intrin.h>
#endif

/* At most this many inversions of a column in search of readout cosmic rays. */
#define CTE_MAX_RUN 5

/* Charge of the padding behind a column: below every trap level, whatever trails bring. */
#define CTE_EMPTY (-1e30)

/* Largest capture of the vector kernels: with any profile and density, squares of sums of trails stay finite. */
#define CTE_MOST 1e50

/* Room for rounding in bounds. */
#define CTE_SLACK 1e-12

static ptrdiff_t cte_stride(ptrdiff_t n_tail)
{
    return (n_tail + CTE_FRONT + CTE_BLOCK + 8 + 7) / 8 * 8;
}

#if defined(CTE_X86) && defined(_MSC_VER)
/* Does the processor have the instructions, and does the system save the registers? */
static int cte_best(void)
{
    /* Leaf 1: FMA, POPCNT, OSXSAVE, AVX.  Leaf 7: BMI1, AVX2, BMI2; AVX-512 F, DQ, BW, VL.  Leaf 0x80000001: LZCNT. */
    const unsigned basic = 1U << 12 | 1U << 23 | 1U << 27 | 1U << 28, avx2 = 1U << 3 | 1U << 5 | 1U << 8, lzcnt = 1U << 5;
    const unsigned avx512 = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;
    int one[4], seven[4], last[4], saved;

    __cpuid(one, 0);
    if (one[0] < 7)
        return CAL_CTE_BASELINE;
    __cpuidex(one, 1, 0);
    __cpuidex(seven, 7, 0);
    __cpuid(last, (int)0x80000001U);
    if (((unsigned)one[2] & basic) != basic || ((unsigned)seven[1] & avx2) != avx2 || !((unsigned)last[2] & lzcnt))
        return CAL_CTE_BASELINE;
    saved = (int)_xgetbv(0);
    if ((saved & 0x06) != 0x06)
        return CAL_CTE_BASELINE;
    return ((unsigned)seven[1] & avx512) == avx512 && (saved & 0xE6) == 0xE6 ? CAL_CTE_AVX512 : CAL_CTE_AVX2;
}
#elif defined(CTE_X86)
static int cte_best(void)
{
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
          __builtin_cpu_supports("popcnt")))
        return CAL_CTE_BASELINE;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
               ? CAL_CTE_AVX512
               : CAL_CTE_AVX2;
}
#else
static int cte_best(void)
{
    return CAL_CTE_BASELINE;
}
#endif

int cal_cte_isa(int isa)
{
    const int best = cte_best();

    if (isa == CAL_CTE_AUTO)
        return best;
    return isa >= CAL_CTE_SCALAR && isa <= best ? isa : CAL_BAD_VALUE;
}

const cte_kernels *cal_cte_kernels(int isa)
{
#ifdef CTE_X86
    if (isa == CAL_CTE_AVX512)
        return &cal_cte_avx512;
    if (isa == CAL_CTE_AVX2)
        return &cal_cte_avx2;
#endif
    return isa == CAL_CTE_SCALAR ? &cal_cte_scalar : &cal_cte_baseline;
}

ptrdiff_t cal_cte_plan_size(ptrdiff_t n_level, ptrdiff_t n_tail)
{
    const ptrdiff_t limit = (ptrdiff_t)1 << 24;

    if (n_level < 1 || n_tail < 1 || n_level > limit || n_tail > limit)
        return CAL_BAD_SIZE;
    if (n_level > PTRDIFF_MAX / 16 / (2 * cte_stride(n_tail) + 3)) /* on 32-bit machines */
        return CAL_BAD_SIZE;
    return (ptrdiff_t)sizeof(cal_cte_plan) + 64 + (ptrdiff_t)sizeof(cte_lanes) +
           (ptrdiff_t)sizeof(double) * n_level * (2 * cte_stride(n_tail) + 3);
}

int cal_cte_plan_make(const cal_cte_model *model, int isa, cal_cte_plan *plan)
{
    const ptrdiff_t n_level = model->n_level, n_tail = model->n_tail, stride = cte_stride(n_tail);
    double *memory, *charge, *amount, *growth, *release, *held;
    cte_lanes *lanes;

    if (cal_cte_plan_size(n_level, n_tail) < 0)
        return CAL_BAD_SIZE;
    if (model->n_transfer < 1 || (isa = cal_cte_isa(isa)) < 0)
        return CAL_BAD_VALUE;

    memory = (double *)(((uintptr_t)(plan + 1) + 63) & ~(uintptr_t)63);
    release = memory;
    held = release + n_level * stride;
    charge = held + n_level * stride;
    amount = charge + n_level;
    growth = amount + n_level;
    lanes = (cte_lanes *)(void *)(growth + n_level);
    memset(memory, 0, sizeof(double) * (size_t)(2 * n_level * stride));

    plan->plain = plan->equal = 1;
    for (ptrdiff_t level = 0; level < n_level; ++level) {
        charge[level] = model->charge[level];
        amount[level] = model->capture[level] / (double)model->n_transfer;
        if (!isfinite(charge[level]) || !isfinite(amount[level]))
            return CAL_BAD_VALUE;
        if (amount[level] != amount[0])
            plan->equal = 0;
        if (amount[level] < 0.0 || amount[level] > CTE_MOST || (level > 0 && charge[level] < charge[level - 1]))
            plan->plain = 0;
        growth[level] = 0.0;
        for (ptrdiff_t age = 0; age < n_tail; ++age) {
            const double r = model->release[level * n_tail + age], h = model->held[level * n_tail + age];

            if (!isfinite(r) || !isfinite(h))
                return CAL_BAD_VALUE;
            if (r < 0.0 || h < 0.0)
                plan->plain = 0;
            growth[level] = fmax(growth[level], fmax(r, r + h - 1.0 + CTE_SLACK));
            release[level * stride + CTE_FRONT + age] = r;
            held[level * stride + CTE_FRONT + age] = h;
        }
        release[level * stride + CTE_FRONT - 1] = -1.0;
        growth[level] *= 1.0 + CTE_SLACK;
    }
    if (!(model->read_noise * model->read_noise > 0.0) || charge[0] < 0.5 * CTE_EMPTY)
        plan->plain = 0;
    for (int mask = 0; mask < 256; ++mask) {
        lanes->behind[mask] = (uint8_t)(~(mask ^ (mask - 1)) & 0xFF);
        for (int lane = 0; lane < 8; ++lane) {
            int before = lane - 1;

            while (before > 0 && !(mask >> before & 1))
                --before;
            lanes->last[mask][lane] = (int8_t)(before > 0 ? before : 0);
        }
    }
    plan->isa = isa;
    plan->n_level = n_level;
    plan->n_tail = n_tail;
    plan->n_transfer = model->n_transfer;
    plan->n_iteration = model->n_iteration;
    plan->stride = stride;
    plan->noise_squared = model->read_noise * model->read_noise;
    plan->fix_cosmic_rays = model->fix_cosmic_rays;
    plan->oversubtraction = model->oversubtraction;
    plan->charge = charge;
    plan->amount = amount;
    plan->release = release + CTE_FRONT;
    plan->held = held + CTE_FRONT;
    plan->growth = growth;
    plan->lanes = lanes;
    return CAL_OK;
}

CAL_CLONES
int cal_cte_traps(const int32_t *index, const double *node, ptrdiff_t n_entry, ptrdiff_t first, double fraction,
                  ptrdiff_t n_col, ptrdiff_t n_row, float *traps, unsigned char *covered)
{
    if (n_entry < 0 || n_col < 0 || n_row < 0 || n_row > (1 << 30))
        return CAL_BAD_SIZE;
    for (ptrdiff_t entry = 0; entry < n_entry; ++entry) {
        const ptrdiff_t col = index[entry] - first;
        const double *at = node + 4 * entry;

        if (col < 0 || col >= n_col)
            continue;
        covered[col] = 1;
        /* Between one node and the next, so that the loop can be vectorized. */
        for (ptrdiff_t below = 0, row = 0; row < n_row; ++below) {
            const ptrdiff_t end = below < 2 && (below + 1) * 512 < n_row ? (below + 1) * 512 : n_row;

            for (; row < end; ++row) {
                const double position = (double)(int32_t)row / 512.0 > 2.999 ? 2.999 : (double)(int32_t)row / 512.0;
                const double sensitivity = at[below] + (at[below + 1] - at[below]) * (position - (double)below);

                traps[col * n_row + row] = (float)(sensitivity * ((double)((int32_t)row + 1) / 2048.0) * fraction);
            }
        }
    }
    return CAL_OK;
}

/* Is any pixel from row 10 on below a limit? */
CAL_CLONES
static int cte_any_below(const double *packet, ptrdiff_t n_row, double limit)
{
    int64_t any = 0;

    for (ptrdiff_t row = 10; row < n_row; ++row)
        any |= packet[row] < limit;
    return any != 0;
}

/* Weaken the traps from each over-subtracted pixel back to the pixel that lost most; 1 if there was any. */
static int cte_weaken(const cal_cte_plan *plan, cte_column *column)
{
    const double *restored = column->packet, *observed = column->observed;
    /* Without a pixel below this no sum of two or three is low enough. */
    const double low = plan->oversubtraction > -5.0 ? plan->oversubtraction : -5.0;
    int found = 0;

    if (!cte_any_below(restored, column->n_row, low))
        return 0;
    for (ptrdiff_t row = 10; row < column->n_row - 2; ++row) {
        const double two = restored[row] + restored[row + 1];
        const double three = two + restored[row + 2];
        const double gain = restored[row] - observed[row];
        const int flagged =
            (restored[row] < plan->oversubtraction && gain < plan->oversubtraction) ||
            (two < -12.0 && two - observed[row] - observed[row + 1] < -12.0) ||
            (three < -15.0 && three - observed[row] - observed[row + 1] - observed[row + 2] < -15.0);
        ptrdiff_t source = row;

        if (!flagged)
            continue;
        found = 1;
        for (ptrdiff_t back = row - 10; back < row; ++back)
            if (restored[back] - observed[back] > restored[source] - observed[source])
                source = back;
        for (; source <= row; ++source)
            column->traps[source] = (float)((double)column->traps[source] * 0.75);
    }
    return found;
}

/* Undo the readout of column->observed; the result is left in column->packet. */
static void cte_restore(const cal_cte_plan *plan, cte_column *column, const cte_kernels *kernels)
{
    const size_t bytes = sizeof(double) * (size_t)column->n_row;

    memcpy(column->packet, column->observed, bytes);
    for (ptrdiff_t left = plan->n_iteration > 1 ? plan->n_iteration : 1; left > 0; --left) {
        memcpy(column->start, column->packet, bytes);
        kernels->readout(plan, column);
        /* PARITY: the last pass is not damped, as in HSTCAL ctegen2.c. */
        kernels->update(column, left > 1 ? plan->noise_squared : -1.0);
    }
}

/* Take a column up; returns whether the vector kernels' conditions on its pixels hold. */
CAL_CLONES
static int cte_take(cte_column *column, const float *CAL_RESTRICT image, const float *CAL_RESTRICT traps)
{
    const ptrdiff_t n_row = column->n_row;
    double *CAL_RESTRICT observed = column->observed;
    int32_t odd = 0;

    memcpy(column->traps, traps, sizeof(float) * (size_t)n_row);
    for (ptrdiff_t row = 0; row < n_row; ++row) {
        observed[row] = (double)image[row];
        odd |= !(fabsf(image[row]) <= FLT_MAX);
    }
    for (ptrdiff_t row = 0; row < n_row; ++row)
        odd |= !(traps[row] >= 0.0F) | !(traps[row] <= FLT_MAX);
    return !odd;
}

CAL_CLONES
static void cte_give(const cte_column *column, float *CAL_RESTRICT result)
{
    const double *CAL_RESTRICT packet = column->packet;

    for (ptrdiff_t row = 0; row < column->n_row; ++row)
        result[row] = (float)packet[row];
}

/* Widen the trap density, and prepare what is captured where. */
CAL_CLONES
static void cte_fill(const cal_cte_plan *plan, cte_column *column, ptrdiff_t block)
{
    const ptrdiff_t n_row = column->n_row;
    const double amount = plan->equal ? plan->amount[0] : 1.0;
    const float *CAL_RESTRICT traps = column->traps;
    double *CAL_RESTRICT density = column->density, *CAL_RESTRICT trap = column->trap;

    for (ptrdiff_t row = 0; row < n_row; ++row) {
        density[row] = (double)traps[row];
        trap[row] = amount * (double)traps[row];
    }
    if (block == 0)
        return;
    memset(column->known, 0, (size_t)column->n_known);
    for (ptrdiff_t first = 0; first < n_row; first += block) {
        const ptrdiff_t last = first + block < n_row ? first + block : n_row;
        int32_t falls = first > 0 && traps[first] < traps[first - 1];

        for (ptrdiff_t row = first + 1; row < last; ++row)
            falls |= traps[row] < traps[row - 1];
        /* Where the density does not fall, the last row captures most. */
        column->trap_most[first / block] = falls ? -1.0 : trap[last - 1];
    }
}

/* Workspace for columns of n_row rows: memory[0] of everything but state, which is memory[1]. */
static int cte_column_start(cte_column *column, const cal_cte_plan *plan, ptrdiff_t n_row, void *memory[2])
{
    const ptrdiff_t padded = (n_row + CTE_BLOCK - 1) / CTE_BLOCK * CTE_BLOCK, length = padded + CTE_PAD;
    const ptrdiff_t n_block = padded / CTE_LEAST_BLOCK;
    double *place;

    memory[0] = calloc((size_t)(6 * length + padded * CTE_DENSE + n_block * (4 + CTE_DENSE / 8) + 16), sizeof(double));
    memory[1] = malloc(sizeof(cte_state) * (size_t)plan->n_level);
    if (memory[0] == NULL || memory[1] == NULL)
        return CAL_NO_MEMORY;
    place = (double *)(((uintptr_t)memory[0] + 63) & ~(uintptr_t)63);
    column->n_row = n_row;
    column->packet = place;
    column->start = place + length;
    column->observed = place + 2 * length;
    column->density = place + 3 * length;
    column->trap = place + 4 * length + 8;
    column->traps = (float *)(place + 5 * length);
    place += 6 * length;
    column->dense = place;
    place += padded * CTE_DENSE;
    column->trap_most = place;
    column->high = place + n_block;
    column->low = place + 2 * n_block;
    column->reach = (ptrdiff_t *)(void *)(place + 3 * n_block);
    column->known = (unsigned char *)(place + 4 * n_block);
    column->n_known = n_block * CTE_DENSE;
    column->state = memory[1];
    for (ptrdiff_t row = n_row; row < length; ++row)
        column->packet[row] = column->start[row] = column->observed[row] = CTE_EMPTY;
    return CAL_OK;
}

static int cte_columns(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col,
                       ptrdiff_t n_row, int inverse, float *result, int32_t *n_run)
{
    cte_column column;
    void *memory[2];
    int status;

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    status = cte_column_start(&column, plan, n_row, memory);
    if (status != CAL_OK)
        goto done;
    for (ptrdiff_t col = 0; col < n_col; ++col) {
        const cte_kernels *kernels;
        int run = 0, again = 0;

        kernels = cte_take(&column, image + col * n_row, traps + col * n_row) && plan->plain ? cal_cte_kernels(plan->isa)
                                                                                             : &cal_cte_scalar;
        do {
            cte_fill(plan, &column, kernels->block);
            if (inverse) {
                cte_restore(plan, &column, kernels);
                again = plan->fix_cosmic_rays && cte_weaken(plan, &column);
            } else {
                memcpy(column.packet, column.observed, sizeof(double) * (size_t)n_row);
                kernels->readout(plan, &column);
            }
        } while (++run < CTE_MAX_RUN && again);
        cte_give(&column, result + col * n_row);
        if (n_run != NULL)
            n_run[col] = run;
    }
done:
    free(memory[0]);
    free(memory[1]);
    return status;
}

int cal_cte_forward(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col, ptrdiff_t n_row,
                    float *result)
{
    return cte_columns(plan, image, traps, n_col, n_row, 0, result, NULL);
}

int cal_cte_inverse(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col, ptrdiff_t n_row,
                    float *result, int32_t *n_run)
{
    return cte_columns(plan, image, traps, n_col, n_row, 1, result, n_run);
}
