/* cte_readout.c -- one simulated readout of one column, stated plainly. */
#include "cte_internal.h"

/* One sub-step: the levels from the fullest down, each along the whole column. */
static void cte_transfer(const cal_cte_plan *plan, const cte_column *column)
{
    const ptrdiff_t n_row = column->n_row, n_tail = plan->n_tail;
    const double *density = column->density;
    double *packet = column->packet;
    double largest = 10.0;
    ptrdiff_t top = plan->n_level - 1;

    for (ptrdiff_t row = 0; row < n_row; ++row)
        if (packet[row] > largest)
            largest = packet[row];
    while (top > 0 && plan->charge[top] > largest)
        --top;

    for (ptrdiff_t level = top; level >= 0; --level) {
        const double *release = plan->release + level * plan->stride;
        const double *held = plan->held + level * plan->stride;
        double trapped = 0.0;
        ptrdiff_t age = n_tail; /* rows since the last capture; n_tail: nothing left to release */

        for (ptrdiff_t row = 0; row < n_row; ++row) {
            double add = 0.0, extra = 0.0, lost = 0.0;

            if (row > 0 && density[row] < density[row - 1])
                trapped *= density[row] / density[row - 1];
            if (age < n_tail)
                add = release[age] * trapped;
            if (packet[row] >= plan->charge[level]) {
                if (age < n_tail)
                    extra = held[age] * trapped;
                trapped = lost = plan->amount[level] * density[row];
                age = 0;
            } else if (age < n_tail) {
                ++age;
            }
            packet[row] += add + extra - lost;
        }
    }
}

static void cte_readout_scalar(const cal_cte_plan *plan, cte_column *column)
{
    for (ptrdiff_t step = 0; step < plan->n_transfer; ++step)
        cte_transfer(plan, column);
}

static void cte_update_scalar(cte_column *column, double noise_squared)
{
    for (ptrdiff_t row = 0; row < column->n_row; ++row) {
        double excess = column->packet[row] - column->observed[row];

        if (noise_squared >= 0.0) {
            const double square = excess * excess;

            excess *= square / (square + noise_squared);
        }
        column->packet[row] = column->start[row] - excess;
    }
}

const cte_kernels cal_cte_scalar = {0, 0, cte_readout_scalar, cte_update_scalar, cal_cte_enter, cal_cte_least,
                                    cal_cte_smooth_scalar};

ptrdiff_t cal_cte_readout_block(const cal_cte_plan *plan, cte_column *column, ptrdiff_t first, ptrdiff_t n,
                                ptrdiff_t top)
{
    const ptrdiff_t n_tail = plan->n_tail;
    const double *density = column->density;
    double *packet = column->packet;
    ptrdiff_t live = -1;

    for (ptrdiff_t level = top; level >= 0; --level) {
        const double threshold = plan->charge[level];
        const double *release = plan->release + level * plan->stride;
        const double *held = plan->held + level * plan->stride;
        ptrdiff_t last = column->state[level].row;
        double trapped = column->state[level].trapped;

        if (first - 1 - last >= n_tail) {
            int any = 0;

            for (ptrdiff_t row = first; row < first + n; ++row)
                any |= packet[row] >= threshold;
            if (!any)
                continue;
        }
        for (ptrdiff_t row = first; row < first + n; ++row) {
            const ptrdiff_t age = row - 1 - last;
            double add = 0.0, extra = 0.0, lost = 0.0;

            if (row > 0 && density[row] < density[row - 1])
                trapped *= density[row] / density[row - 1];
            if (age < n_tail)
                add = release[age] * trapped;
            if (packet[row] >= threshold) {
                if (age < n_tail)
                    extra = held[age] * trapped;
                trapped = lost = plan->amount[level] * density[row];
                last = row;
            }
            packet[row] += add + extra - lost;
        }
        column->state[level].row = last;
        column->state[level].trapped = trapped;
        if (live < 0 && last + n_tail >= first + n)
            live = level;
    }
    return live;
}
