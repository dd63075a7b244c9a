/* cte.c -- preparing the trap model, inverting a readout, readout cosmic rays, recombination. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "cte_internal.h"

/* At most this many inversions of a column in search of readout cosmic rays. */
#define CTE_MAX_RUN 5

/* Charge of the padding behind a column: below every trap level, whatever trails bring. */
#define CTE_EMPTY (-1e30)

/* Room for rounding in bounds. */
#define CTE_SLACK 1e-12

#define CTE_LAST_BYTES 2048

static ptrdiff_t cte_stride(ptrdiff_t n_tail)
{
    return (n_tail + 8 + 7) / 8 * 8;
}

int cal_cte_isa(int isa)
{
    int best = CAL_CTE_BASELINE;

#ifdef CTE_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        best = CAL_CTE_AVX2;
    if (best == CAL_CTE_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        best = CAL_CTE_AVX512;
#endif
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
    return (ptrdiff_t)sizeof(cal_cte_plan) + 64 + CTE_LAST_BYTES +
           (ptrdiff_t)sizeof(double) * n_level * (2 * cte_stride(n_tail) + 3);
}

int cal_cte_plan_make(const cal_cte_model *model, int isa, cal_cte_plan *plan)
{
    const ptrdiff_t n_level = model->n_level, n_tail = model->n_tail, stride = cte_stride(n_tail);
    double *memory, *charge, *amount, *growth, *release, *held;
    int8_t *last;

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
    last = (int8_t *)(growth + n_level);
    memset(memory, 0, sizeof(double) * (size_t)(2 * n_level * stride));

    plan->plain = 1;
    for (ptrdiff_t level = 0; level < n_level; ++level) {
        charge[level] = model->charge[level];
        amount[level] = model->capture[level] / (double)model->n_transfer;
        if (!isfinite(charge[level]) || !isfinite(amount[level]))
            return CAL_BAD_VALUE;
        if (amount[level] < 0.0 || amount[level] != amount[0] || (level > 0 && charge[level] < charge[level - 1]))
            plan->plain = 0;
        growth[level] = 0.0;
        for (ptrdiff_t age = 0; age < n_tail; ++age) {
            const double r = model->release[level * n_tail + age], h = model->held[level * n_tail + age];

            if (!isfinite(r) || !isfinite(h))
                return CAL_BAD_VALUE;
            if (r < 0.0 || h < 0.0)
                plan->plain = 0;
            growth[level] = fmax(growth[level], fmax(r, r + h - 1.0 + CTE_SLACK));
            release[level * stride + age] = r;
            held[level * stride + age] = h;
        }
        growth[level] *= 1.0 + CTE_SLACK;
    }
    if (!(model->read_noise * model->read_noise > 0.0))
        plan->plain = 0;
    for (int mask = 0; mask < 256; ++mask)
        for (int lane = 0; lane < 8; ++lane) {
            int before = lane - 1;

            while (before > 0 && !(mask >> before & 1))
                --before;
            last[8 * mask + lane] = (int8_t)(before > 0 ? before : 0);
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
    plan->release = release;
    plan->held = held;
    plan->growth = growth;
    plan->last = last;
    return CAL_OK;
}

int cal_cte_traps(const int32_t *index, const double *node, ptrdiff_t n_entry, ptrdiff_t first, double fraction,
                  ptrdiff_t n_col, ptrdiff_t n_row, float *traps, unsigned char *covered)
{
    if (n_entry < 0 || n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    for (ptrdiff_t entry = 0; entry < n_entry; ++entry) {
        const ptrdiff_t col = index[entry] - first;
        const double *at = node + 4 * entry;

        if (col < 0 || col >= n_col)
            continue;
        covered[col] = 1;
        for (ptrdiff_t row = 0; row < n_row; ++row) {
            const double position = (double)row / 512.0 > 2.999 ? 2.999 : (double)row / 512.0;
            const int below = (int)position;
            const double sensitivity = at[below] + (at[below + 1] - at[below]) * (position - below);

            traps[col * n_row + row] = (float)(sensitivity * ((double)(row + 1) / 2048.0) * fraction);
        }
    }
    return CAL_OK;
}

/* Weaken the traps from each over-subtracted pixel back to the pixel that lost most; 1 if there was any. */
static int cte_weaken(const cal_cte_plan *plan, cte_column *column)
{
    const double *restored = column->packet, *observed = column->observed;
    /* Without a pixel below this no sum of two or three is low enough. */
    const double low = plan->oversubtraction > -5.0 ? plan->oversubtraction : -5.0;
    int found = 0;

    for (ptrdiff_t row = 10; row < column->n_row; ++row)
        found |= restored[row] < low;
    if (!found)
        return 0;
    found = 0;
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

/* Undo the readout of column->observed, and of another column's if there is one; the result is left in packet. */
static void cte_restore(const cal_cte_plan *plan, cte_column *column, cte_column *other, const cte_kernels *kernels)
{
    const size_t bytes = sizeof(double) * (size_t)column->n_row;
    cte_column *const both[2] = {column, other};
    const int n = other != NULL ? 2 : 1;

    for (int i = 0; i < n; ++i)
        memcpy(both[i]->packet, both[i]->observed, bytes);
    for (ptrdiff_t left = plan->n_iteration > 1 ? plan->n_iteration : 1; left > 0; --left) {
        for (int i = 0; i < n; ++i)
            memcpy(both[i]->start, both[i]->packet, bytes);
        kernels->readout(plan, column, other);
        /* PARITY: the last pass is not damped, as in HSTCAL ctegen2.c. */
        for (int i = 0; i < n; ++i)
            kernels->update(both[i], left > 1 ? plan->noise_squared : -1.0);
    }
}

/* Do the vector kernels' conditions on the pixels hold? */
static int cte_is_plain(const cal_cte_plan *plan, const cte_column *column)
{
    int plain = plan->plain;

    for (ptrdiff_t row = 0; row < column->n_row; ++row)
        plain &= fabs(column->observed[row]) <= DBL_MAX && column->traps[row] >= 0.0F && column->traps[row] <= FLT_MAX;
    return plain;
}

/* Widen the trap density, and prepare what is captured where. */
static void cte_fill(const cal_cte_plan *plan, cte_column *column, ptrdiff_t block)
{
    const ptrdiff_t n_row = column->n_row;

    for (ptrdiff_t row = 0; row < n_row; ++row)
        column->density[row] = (double)column->traps[row];
    if (block == 0)
        return;
    for (ptrdiff_t row = 0; row < n_row; ++row)
        column->trap[row] = plan->amount[0] * column->density[row];
    for (ptrdiff_t first = 0; first < n_row; first += block) {
        const ptrdiff_t last = first + block < n_row ? first + block : n_row;
        double most = first > 0 ? column->trap[first - 1] : 0.0;
        int falls = 0;

        for (ptrdiff_t row = first; row < last; ++row) {
            most = column->trap[row] > most ? column->trap[row] : most;
            falls |= row > 0 && column->density[row] < column->density[row - 1];
        }
        column->trap_most[first / block] = falls ? -1.0 : most;
    }
}

/* Memory of a column of n_row rows; its state apart. */
static ptrdiff_t cte_column_length(ptrdiff_t n_row)
{
    return (n_row + CTE_BLOCK - 1) / CTE_BLOCK * CTE_BLOCK + CTE_PAD;
}

static void cte_column_place(cte_column *column, ptrdiff_t n_row, double *memory)
{
    const ptrdiff_t length = cte_column_length(n_row);

    column->n_row = n_row;
    column->packet = memory;
    column->start = memory + length;
    column->observed = memory + 2 * length;
    column->density = memory + 3 * length;
    column->trap = memory + 4 * length + 8;
    column->trap_most = memory + 5 * length;
    column->high = memory + 5 * length + length / 4;
    column->low = memory + 5 * length + length / 4 * 2;
    column->reach = (ptrdiff_t *)(void *)(memory + 5 * length + length / 4 * 3);
    column->traps = (float *)(memory + 6 * length);
}

/* Fetch column `col` of an image; the kernels it can be worked with. */
static const cte_kernels *cte_column_fetch(cte_column *column, const cal_cte_plan *plan, const float *image,
                                           const float *traps, ptrdiff_t col)
{
    const ptrdiff_t n_row = column->n_row;
    const cte_kernels *kernels;

    for (ptrdiff_t row = 0; row < n_row; ++row) {
        column->observed[row] = (double)image[col * n_row + row];
        column->traps[row] = traps[col * n_row + row];
    }
    for (ptrdiff_t row = n_row; row < cte_column_length(n_row); ++row)
        column->packet[row] = column->observed[row] = column->start[row] = CTE_EMPTY;
    kernels = cte_is_plain(plan, column) ? cal_cte_kernels(plan->isa) : &cal_cte_scalar;
    cte_fill(plan, column, kernels->block);
    return kernels;
}

static int cte_columns(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col,
                       ptrdiff_t n_row, int inverse, float *result, int32_t *n_run)
{
    const size_t length = (size_t)cte_column_length(n_row < 0 ? 0 : n_row), state_bytes = sizeof(cte_state) * (size_t)plan->n_level;
    cte_column columns[2];
    double *memory;
    char *states;

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    memory = calloc(14 * length + 8, sizeof(double));
    states = malloc(2 * state_bytes);
    if (memory == NULL || states == NULL) {
        free(memory);
        free(states);
        return CAL_NO_MEMORY;
    }
    for (int i = 0; i < 2; ++i) {
        double *aligned = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);

        cte_column_place(&columns[i], n_row, aligned + (size_t)i * 7 * length);
        columns[i].state = (cte_state *)(void *)(states + (size_t)i * state_bytes);
    }

    for (ptrdiff_t col = 0; col < n_col;) {
        const cte_kernels *kernels[2];
        cte_column *work[2] = {&columns[0], &columns[1]};
        int runs[2] = {0, 0}, left = 1, n;

        kernels[0] = cte_column_fetch(&columns[0], plan, image, traps, col);
        if (kernels[0]->pairs && col + 1 < n_col) {
            kernels[1] = cte_column_fetch(&columns[1], plan, image, traps, col + 1);
            left = kernels[1] == kernels[0] ? 2 : 1;
        }
        n = left;
        while (left > 0) {
            cte_column *const *const done = work;
            int again = 0;

            if (inverse) {
                cte_restore(plan, done[0], left > 1 ? done[1] : NULL, kernels[0]);
            } else {
                for (int i = 0; i < left; ++i)
                    memcpy(done[i]->packet, done[i]->observed, sizeof(double) * (size_t)n_row);
                kernels[0]->readout(plan, done[0], left > 1 ? done[1] : NULL);
            }
            for (int i = 0; i < left; ++i) {
                cte_column *const column = work[i];
                int *const run = &runs[column - columns];

                ++*run;
                if (inverse && plan->fix_cosmic_rays && cte_weaken(plan, column) && *run < CTE_MAX_RUN) {
                    cte_fill(plan, column, kernels[0]->block);
                    work[again++] = column;
                }
            }
            left = again;
        }
        for (int i = 0; i < n; ++i, ++col) {
            for (ptrdiff_t row = 0; row < n_row; ++row)
                result[col * n_row + row] = (float)columns[i].packet[row];
            if (n_run != NULL)
                n_run[col] = runs[i];
        }
    }
    free(memory);
    free(states);
    return CAL_OK;
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

int cal_cte_combine(const float *restored, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step,
                    ptrdiff_t row_step, float *sci, float *err)
{
    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    for (ptrdiff_t col = 0; col < n_col; ++col) {
        for (ptrdiff_t row = 0; row < n_row; ++row) {
            const float delta = restored[col * n_row + row] - smooth[col * n_row + row];
            const ptrdiff_t at = col * col_step + row * row_step;

            if (sci != NULL)
                sci[at] += delta;
            if (err != NULL) {
                const float square = err[at] * err[at];
                const double extra = 0.1 * fabs((double)delta);

                err[at] = (float)sqrt((double)square + extra * extra);
            }
        }
    }
    return CAL_OK;
}
