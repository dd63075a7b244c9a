/* cte_smooth_impl.h -- one smoothing iteration of one column, several rows at a time; included once per instruction set.
 *
 * The includer defines LANES, NAME, vec and its operations as for cte_readout_impl.h, and
 *   fvec FLOAD FSTORE        vector of LANES floats
 *   WIDEN NARROW             float to double and back
 *   FMA                      a * b + c, fused or not
 *   CARRY(before, now)       lanes moved up by one, the last lane of `before` coming in
 *   AHEAD(now, after)        lanes moved down by one, the first lane of `after` coming in
 *   ROUND(low, high, &same)  low rounded to the precision of float, still in double; same, of type SAME, tells the lanes
 *                            where high rounds alike.  Numbers halfway between two floats may go either way
 *   FINE(same, o, s)         mask of lanes of `same` where |o| or |s| reaches 0.1, none where s is NaN
 *   ADD_SQUARE(m, v, sum)    sum + v * v where the mask is set, else sum
 *   TOTAL(v)                 sum of lanes
 *   CLIP(v, limit)           v between -limit and limit
 *
 * The adjustment is rounded to float, so its double arithmetic need not be that of the plain statement: it is enough to
 * know that both round alike.  It is computed here with fewer divisions, and bounded by +- error; where the bounds lead to
 * different results, and in the end rows, the plain statement decides.  Rounding works on the bits: adding half a unit of
 * the last place of float and cutting off what is behind it takes fewer and quicker steps than conversions.  Between bounds
 * that agree no number lies halfway; bounds that round to zero differ in sign.
 */

/* Four times the adjustment of each row times scale, but for the end rows. */
static void NAME(adjust)(const cte_smooth_task *task, double *CAL_RESTRICT adjust)
{
    const double *CAL_RESTRICT left = task->rest[0], *CAL_RESTRICT own_ = task->rest[1];
    const double *CAL_RESTRICT right = task->rest[2], *CAL_RESTRICT center = task->center;
    const float *CAL_RESTRICT smooth = task->smooth[1];
    const ptrdiff_t n_row = task->n_row;
    const vec own_four = SPREAD(task->own_four), eighteen = SPREAD(task->block_eighteen), nine = SPREAD(9.0);
    const vec one = SPREAD(1.0), four = SPREAD(task->four), limit = SPREAD(task->limit);
    const vec own_limit = SPREAD(task->own_limit), block_limit = SPREAD(task->block_limit);
    vec below = SPREAD(0.0), sum_before = SPREAD(0.0);
    vec sum = ADD(ADD(LOAD(left), LOAD(center)), LOAD(right));
    vec sum_after = ADD(ADD(LOAD(left + LANES), LOAD(center + LANES)), LOAD(right + LANES));
    vec value = WIDEN(FLOAD(smooth)), bottom = one, keep_top = below, above_top = below;

    /* A round prepares one group of rows and divides for the one before, which halves the chain of dependent steps. */
    for (ptrdiff_t row = 0; row < n_row + LANES; row += LANES) {
        const vec inverse = DIV(one, bottom), value_after = WIDEN(FLOAD(smooth + row + LANES));
        const vec block = ADD(ADD(CARRY(sum_before, sum), sum), AHEAD(sum, sum_after));
        const vec down = SUB(value, AHEAD(value, value_after));
        const vec own = LOAD(own_ + row);
        const vec own2 = MUL(own, own), block2 = MUL(block, block);
        const vec a = ADD(own2, own_four), b = FMA(block2, nine, eighteen), c = FMA(down, down, four), ab = MUL(a, b);
        const vec p = MUL(CLIP(own, own_limit), own2), q = MUL(CLIP(block, block_limit), block2);
        const vec above = MUL(above_top, inverse);

        STORE(adjust + row - LANES, FMA(keep_top, inverse, SUB(CARRY(below, above), above)));
        /* keep = (p b + q a) / (a b) and above = clip(down) / c, over a common denominator. */
        bottom = MUL(ab, c);
        keep_top = MUL(FMA(p, b, MUL(q, a)), c);
        above_top = MUL(CLIP(down, limit), ab);
        below = above;
        value = value_after;
        sum_before = sum;
        sum = sum_after;
        sum_after = ADD(ADD(LOAD(left + row + 2 * LANES), LOAD(center + row + 2 * LANES)), LOAD(right + row + 2 * LANES));
    }
}

static void NAME(smooth)(const cte_smooth_task *task, double *square, double *count)
{
    const float *CAL_RESTRICT observed = task->observed[1], *CAL_RESTRICT smooth = task->smooth[1];
    double *CAL_RESTRICT adjust = task->adjust, *CAL_RESTRICT rest = task->rest_after;
    float *CAL_RESTRICT result = task->result;
    int32_t *CAL_RESTRICT open = task->flags;
    const ptrdiff_t n_row = task->n_row;
    const vec error = SPREAD(4.0 * task->error), minus_error = SPREAD(-4.0 * task->error), step = SPREAD(0.1875);
    const vec unscale = SPREAD(task->four), scale = SPREAD(task->scale);
    vec sum = SPREAD(0.0);
    double total;
    ptrdiff_t n, n_open = 0;

    NAME(adjust)(task, adjust);
    /* End rows are open; those beyond are left out below. */
    adjust[0] = NAN;
    for (ptrdiff_t row = n_row - 1; row < n_row - 1 + LANES; ++row)
        adjust[row] = NAN;

    for (ptrdiff_t row = 0; row < n_row; row += LANES) {
        const fvec seen = FLOAD(observed + row);
        const vec t = LOAD(adjust + row);
        SAME same;
        const vec change = ROUND(FMA(t, unscale, minus_error), FMA(t, unscale, error), &same);
        const fvec next = NARROW(FMA(change, step, WIDEN(FLOAD(smooth + row))));
        /* Scaled last: the difference is mostly exact. */
        const vec left = MUL(SUB(WIDEN(seen), WIDEN(next)), scale);
        const unsigned fine = FINE(same, seen, next);

        FSTORE(result + row, next);
        STORE(rest + row, left);
        sum = ADD_SQUARE(fine, left, sum);
        open[n_open] = (int32_t)(row << 8) | (int32_t)fine;
        n_open += fine != (1U << LANES) - 1;
    }
    total = TOTAL(sum) * (task->four * task->four);
    n = (n_row + LANES - 1) / LANES * LANES;
    for (ptrdiff_t i = 0; i < n_open; ++i)
        for (ptrdiff_t lane = 0, row = open[i] >> 8; lane < LANES; ++lane, ++row)
            if (!(open[i] >> lane & 1))
                n -= row >= n_row || !cal_cte_smooth_open(task, row, &total);
    *square = total;
    *count = (double)n;
}

static cte_extent NAME(enter)(const float *observed, const float *start, ptrdiff_t n_row, double scale, float *seen,
                              float *smooth, double *rest)
{
    return cte_enter(observed, start, n_row, scale, seen, smooth, rest);
}

static double NAME(least)(const float *column, ptrdiff_t n_row)
{
    return cte_least(column, n_row);
}
