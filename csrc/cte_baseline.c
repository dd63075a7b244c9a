/* cte_baseline.c -- the CTE kernels for any processor: the economies of the vector kernels in plain loops. */
#include "cte_internal.h"

#if defined(__SSE2__) || defined(_M_X64)
#define CTE_SSE2
#include <emmintrin.h>
#endif

#define BLOCK 64

/* Captures in a block up to which it pays to go from one to the next. */
#define FEW 10

/* Rows of the block with at least that charge. */
static uint64_t cte_reaching(const double *packet, double threshold)
{
    uint64_t mask = 0;

#ifdef CTE_SSE2
    const __m128d limit = _mm_set1_pd(threshold);

    for (int row = 0; row < BLOCK; row += 2)
        mask |= (uint64_t)(unsigned)_mm_movemask_pd(_mm_cmpge_pd(_mm_loadu_pd(packet + row), limit)) << row;
#else
    for (int row = 0; row < BLOCK; ++row)
        mask |= (uint64_t)(packet[row] >= threshold) << row;
#endif
    return mask;
}

static int cte_count_bits(uint64_t mask)
{
    mask -= mask >> 1 & UINT64_C(0x5555555555555555);
    mask = (mask & UINT64_C(0x3333333333333333)) + (mask >> 2 & UINT64_C(0x3333333333333333));
    mask = (mask + (mask >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (int)(mask * UINT64_C(0x0101010101010101) >> 56);
}

static ptrdiff_t cte_lowest_bit(uint64_t mask)
{
    return cte_count_bits((mask & (~mask + 1)) - 1);
}

static void cte_trail(double *CAL_RESTRICT packet, const double *CAL_RESTRICT release, double trapped, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; ++i)
        packet[i] += release[i] * trapped;
}

/* A level of a block: from capture to capture.  `last` and `trapped` as in cte_state, rows relative to the block. */
static void cte_some(double *packet, const double *trap, const double *release, const double *held, ptrdiff_t n_tail,
                     uint64_t mask, ptrdiff_t *last, double *trapped)
{
    ptrdiff_t row = 0;

    while (row < BLOCK) {
        const ptrdiff_t next = mask ? cte_lowest_bit(mask) : BLOCK;
        const ptrdiff_t end = *last + n_tail + 1 < next ? *last + n_tail + 1 : next;

        if (end > row)
            cte_trail(packet + row, release + (row - 1 - *last), *trapped, end - row);
        if (next < BLOCK) {
            const ptrdiff_t age = next - 1 - *last;
            double gain = 0.0;

            if (age < n_tail)
                gain = release[age] * *trapped + held[age] * *trapped;
            packet[next] += gain - trap[next];
            *last = next;
            *trapped = trap[next];
            mask &= mask - 1;
        }
        row = next + 1;
    }
}

/* The same row by row, without branches. */
static void cte_many(double *CAL_RESTRICT packet, const double *CAL_RESTRICT trap, const double *CAL_RESTRICT release,
                     const double *CAL_RESTRICT held, ptrdiff_t n_tail, uint64_t mask, ptrdiff_t *last, double *trapped)
{
    static const double one_if[2] = {0.0, 1.0};
    const double before = *trapped, *carried = &before;
    ptrdiff_t age = -1 - *last < n_tail ? -1 - *last : n_tail;

    for (ptrdiff_t row = 0; row < BLOCK; ++row) {
        const int now = (int)(mask >> row & 1);
        const double captures = one_if[now], gain = release[age] * *carried, freed = held[age] * *carried;
        const ptrdiff_t older = age + (age < n_tail);

        packet[row] += gain + freed * captures - trap[row] * captures;
        carried = now ? trap + row : carried;
        age = now ? 0 : older;
    }
    *trapped = *carried;
    if (carried != &before)
        *last = carried - trap;
}

/* Every row captures, and so does the one before. */
static void cte_dense(double *CAL_RESTRICT packet, const double *CAL_RESTRICT trap, double release, double held)
{
    for (ptrdiff_t row = 0; row < BLOCK; ++row)
        packet[row] += release * trap[row - 1] + held * trap[row - 1] - trap[row];
}

/* The readout; `equal` is a constant, as of the plan. */
static inline void cte_read(const cal_cte_plan *plan, cte_column *column, const int equal)
{
    const ptrdiff_t n_block = (column->n_row + BLOCK - 1) / BLOCK;
    const ptrdiff_t n_tail = plan->n_tail;
    double own_traps[1 + BLOCK];

    for (ptrdiff_t step = 0; step < plan->n_transfer; ++step) {
        ptrdiff_t live = -1, clean = -1;

        for (ptrdiff_t block = 0; block < n_block; ++block) {
            const ptrdiff_t first = block * BLOCK;
            const double *trap = column->trap + first;
            double most = column->trap_most[block];
            double *const packet = column->packet + first;
            ptrdiff_t reach = column->reach[block], top, next_live = -1;
            double bound = packet[0], low = packet[0];

            for (ptrdiff_t row = 1; row < BLOCK; ++row) {
                bound = packet[row] > bound ? packet[row] : bound;
                low = packet[row] < low ? packet[row] : low;
            }
            while (reach < plan->n_level && plan->charge[reach] <= bound)
                ++reach;
            while (reach > 0 && plan->charge[reach - 1] > bound)
                --reach;
            column->reach[block] = reach;
            top = reach - 1 > live ? reach - 1 : live;
            for (; clean < top; ++clean) {
                column->state[clean + 1].row = CTE_NEVER;
                column->state[clean + 1].trapped = 0.0;
            }
            if (most < 0.0) {
                live = cal_cte_readout_block(plan, column, first, BLOCK, top);
                continue;
            }
            for (ptrdiff_t level = top; level >= 0; --level) {
                const double threshold = plan->charge[level];
                const double *const release = plan->release + level * plan->stride;
                const double *const held = plan->held + level * plan->stride;
                cte_state *const state = &column->state[level];
                ptrdiff_t last = state->row - first;
                uint64_t mask = 0;

                if (threshold <= low)
                    mask = UINT64_MAX;
                else if (threshold <= bound)
                    mask = cte_reaching(packet, threshold);
                if (mask == 0 && -1 - last >= n_tail)
                    continue;
                if (!equal) {
                    most = plan->amount[level] * column->trap_most[block];
                    trap = column->trap + first;
                    for (ptrdiff_t row = 0; row <= BLOCK && mask != 0; ++row)
                        own_traps[row] = plan->amount[level] * trap[row - 1];
                    trap = own_traps + 1;
                }
                if (mask == UINT64_MAX && last == -1) {
                    cte_dense(packet, trap, release[0], held[0]);
                    last = BLOCK - 1;
                    state->trapped = trap[last];
                } else if (cte_count_bits(mask) > FEW) {
                    cte_many(packet, trap, release, held, n_tail, mask, &last, &state->trapped);
                } else {
                    cte_some(packet, trap, release, held, n_tail, mask, &last, &state->trapped);
                }
                state->row = first + last;
                bound += plan->growth[level] * most;
                low -= most;
                if (next_live < 0 && last + n_tail >= BLOCK)
                    next_live = level;
            }
            live = next_live;
        }
    }
    for (ptrdiff_t row = 0; row < column->n_row; ++row)
        column->packet[row] += 0.0;
}

static void cte_readout_baseline(const cal_cte_plan *plan, cte_column *column)
{
    if (plan->equal)
        cte_read(plan, column, 1);
    else
        cte_read(plan, column, 0);
}

static void cte_update_baseline(cte_column *column, double noise_squared)
{
    double *CAL_RESTRICT packet = column->packet;
    const double *CAL_RESTRICT start = column->start, *CAL_RESTRICT observed = column->observed;

    if (noise_squared < 0.0) {
        for (ptrdiff_t row = 0; row < column->n_row; ++row)
            packet[row] = start[row] - (packet[row] - observed[row]);
        return;
    }
    for (ptrdiff_t row = 0; row < column->n_row; ++row) {
        const double excess = packet[row] - observed[row], square = excess * excess;

        packet[row] = start[row] - excess * (square / (square + noise_squared));
    }
}

static inline double cte_clip(double value, double limit)
{
    value = value > limit ? limit : value;
    return value < -limit ? -limit : value;
}

/* As in cte_smooth_impl.h, one row at a time and unscaled. */
static void cte_smooth_baseline(const cte_smooth_task *task, double *square, double *count)
{
    const float *CAL_RESTRICT observed = task->observed[1], *CAL_RESTRICT smooth = task->smooth[1];
    const double *CAL_RESTRICT left = task->rest[0], *CAL_RESTRICT own = task->rest[1];
    const double *CAL_RESTRICT right = task->rest[2], *CAL_RESTRICT center = task->center;
    double *CAL_RESTRICT adjust = task->adjust, *CAL_RESTRICT rest = task->rest_after, *CAL_RESTRICT pull = task->spare;
    float *CAL_RESTRICT result = task->result;
    int32_t *CAL_RESTRICT certain = task->flags;
    const double own_limit = task->own_limit, limit = task->limit, error = task->error;
    const double four = task->four, eighteen = task->eighteen * 81.0;
    const ptrdiff_t n_row = task->n_row;
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    ptrdiff_t n = 0;

    for (ptrdiff_t row = 0; row < n_row; ++row)
        adjust[row] = left[row] + center[row] + right[row];
    for (ptrdiff_t row = n_row - 1; row > 0; --row)
        pull[row] = adjust[row - 1] + adjust[row] + adjust[row + 1];
    for (ptrdiff_t row = 0; row < n_row; ++row) {
        const double own2 = own[row] * own[row], block2 = pull[row] * pull[row];
        const double a = own2 + four, b = block2 + eighteen;

        const double p = cte_clip(own[row], own_limit) * own2;
        const double q = cte_clip(pull[row], limit * 9.0) * (1.0 / 9.0) * block2;

        adjust[row] = (p * b + q * a) / (a * b);
    }
    for (ptrdiff_t row = 0; row < n_row; ++row) {
        const double down = (double)smooth[row] - (double)smooth[row + 1];

        pull[row] = cte_clip(down, limit) * four / (down * down + four);
    }
    for (ptrdiff_t row = 1; row < n_row; ++row) {
        const double t = 0.25 * (adjust[row] + (pull[row - 1] - pull[row]));
        const float low = (float)(t - error), high = (float)(t + error);
        const float next = (float)((double)smooth[row] + 0.75 * (double)low);

        result[row] = next;
        rest[row] = (double)observed[row] - (double)next;
        certain[row] = (low == high) & ((fabsf(observed[row]) >= 0.1F) | (fabsf(next) >= 0.1F));
    }
    certain[0] = certain[n_row - 1] = 0;
    for (ptrdiff_t row = 0; row < n_row; ++row)
        pull[row] = certain[row] ? rest[row] : 0.0;
    pull[0] = pull[n_row - 1] = 0.0;
    for (ptrdiff_t row = 0; row + 3 < n_row; row += 4)
        for (int i = 0; i < 4; ++i)
            sum[i] += pull[row + i] * pull[row + i];
    for (ptrdiff_t row = n_row / 4 * 4; row < n_row; ++row)
        sum[0] += pull[row] * pull[row];
    for (ptrdiff_t row = 0; row < n_row; ++row)
        if (!certain[row])
            n -= !cal_cte_smooth_pixel(task, row, &sum[0]);
    *square = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    *count = (double)(n_row + n);
}

const cte_kernels cal_cte_baseline = {BLOCK, 0, cte_readout_baseline, cte_update_baseline, cal_cte_enter, cal_cte_least,
                                      cte_smooth_baseline};
