/* cte_readout_impl.h -- the simulated readout, several rows at a time; included once per instruction set.
 *
 * The includer defines
 *   LANES, NAME(x)           rows in a vector; decorated function name
 *   vec                      vector of LANES doubles, with
 *   LOAD STORE SPREAD ADD SUB MUL DIV MAX MIN
 *   HIGHEST LOWEST           largest and smallest lane
 *   UNLESS(m, a, b)          b where the mask is set, else a
 *   REACHING(p, x)           mask of the lanes of p that are at least x;  AT_LEAST(x) of all rows, in p0 .. p7
 *   CAPTURE(...)             see cte_avx512.c
 *   ALL                      mask of 8 * LANES set bits;  HIGHEST_BIT LOWEST_BIT COUNT_BITS of a mask, HIGHEST_OF of LANES
 *                            bits
 *
 * A row changes only at its own step within a level, so which rows capture is known before the level is run; and rows
 * depend on earlier rows only, so a block of 8 * LANES rows, held in registers, can go through all levels of a
 * sub-step before the next block is touched.  Per level there remain, from block to block, the row of the last capture
 * and the charge trapped there.  Blocks in which the trap density falls take the plain path.
 */

#define BLOCK (8 * LANES)

/* Captures in a block up to which it pays to take levels together. */
#define MOST_ROWS 16

#define EACH(do_) do_(0) do_(1) do_(2) do_(3) do_(4) do_(5) do_(6) do_(7)

/* Rows of one vector, in a level with captures; `age` rows lie between the last capture and the vector.  Each vector is
 * compared anew, not to wait for the mask of the whole block. */
#define SOME(g)                                                                                                   \
    {                                                                                                             \
        const unsigned now = REACHING(p##g, threshold);                                                           \
                                                                                                                  \
        if (!now) {                                                                                               \
            p##g = ADD(p##g, MUL(LOAD(release + age), SPREAD(*carried)));                                         \
            age += LANES;                                                                                         \
        } else if (age == 0 && now == (1U << LANES) - 1) {                                                        \
            p##g = ADD(p##g, change != NULL ? LOAD(change + (g) * LANES) : NAME(change)(here + (g) * LANES, r0, h0)); \
            carried = here + (g) * LANES + LANES - 1;                                                             \
        } else {                                                                                                  \
            p##g = CAPTURE(p##g, now, release + age, held + age, r, h, LOAD(here + (g) * LANES), carried, lanes); \
            carried = here + (g) * LANES + HIGHEST_OF(now);                                                       \
            age = LANES - 1 - HIGHEST_OF(now);                                                                    \
        }                                                                                                         \
    }

/* Mask of the lanes of one vector that capture; one vector of a trail. */
#define NOW(g) ((unsigned)(mask >> ((g) * LANES)) & ((1U << LANES) - 1))
#define TRAIL(g) p##g = ADD(p##g, MUL(LOAD(from + (g) * LANES), trapped));

/* Rows of one vector in all levels from `level` down to `lowest`, in which the same rows of the block capture. */
#define FEW(g)                                                                                                    \
    {                                                                                                             \
        const unsigned now = NOW(g);                                                                              \
        const double *const r_on = release + age, *const h_on = held + age;                                       \
                                                                                                                  \
        if (now) {                                                                                                \
            const vec trap = LOAD(here + (g) * LANES);                                                            \
                                                                                                                  \
            CTE_UNROLL                                                                                            \
            for (ptrdiff_t at = 0; at >= down; at -= plan->stride)                                                \
                p##g = CAPTURE(p##g, now, r_on + at, h_on + at, LOAD(release + at), LOAD(held + at), trap, carried, lanes); \
            carried = here + (g) * LANES + HIGHEST_OF(now);                                                       \
            age = LANES - 1 - HIGHEST_OF(now);                                                                    \
        } else {                                                                                                  \
            if (age < n_tail) {                                                                                   \
                const vec trapped = SPREAD(*carried);                                                             \
                                                                                                                  \
                CTE_UNROLL                                                                                        \
                for (ptrdiff_t at = 0; at >= down; at -= plan->stride)                                            \
                    p##g = ADD(p##g, MUL(LOAD(r_on + at), trapped));                                              \
            }                                                                                                     \
            age += LANES;                                                                                         \
        }                                                                                                         \
    }

/* Largest charge in the rows of the block that do not capture. */
#define OTHERS(g) UNLESS(NOW(g), p##g, none)
#define HIGHEST_OTHER                                                           \
    HIGHEST(MAX(MAX(MAX(OTHERS(0), OTHERS(1)), MAX(OTHERS(2), OTHERS(3))),      \
                MAX(MAX(OTHERS(4), OTHERS(5)), MAX(OTHERS(6), OTHERS(7)))))

/* Range of the charge in a block. */
static void NAME(range)(cte_column *column, ptrdiff_t block)
{
    const double *const packet = column->packet + block * BLOCK;
    vec high = LOAD(packet), low = high;

    for (ptrdiff_t row = LANES; row < BLOCK; row += LANES) {
        high = MAX(high, LOAD(packet + row));
        low = MIN(low, LOAD(packet + row));
    }
    column->high[block] = HIGHEST(high);
    column->low[block] = LOWEST(low);
}

/* What a row gains where it captures and the one before did. */
static inline vec NAME(change)(const double *trap, vec release, vec held)
{
    const vec before = LOAD(trap - 1);

    return SUB(ADD(MUL(release, before), MUL(held, before)), LOAD(trap));
}

/* The same for a block in which every row captures; kept, as it is the same in all sub-steps. */
static inline const double *NAME(dense)(cte_column *column, ptrdiff_t block, ptrdiff_t level, const double *trap,
                                        double release, double held)
{
    double *const change = column->dense + (block * CTE_DENSE + level) * BLOCK;
    unsigned char *const known = column->known + block * CTE_DENSE + level;

    if (!*known) {
        const vec r = SPREAD(release), h = SPREAD(held);

        for (ptrdiff_t row = 0; row < BLOCK; row += LANES)
            STORE(change + row, NAME(change)(trap + row, r, h));
        *known = 1;
    }
    return change;
}

/* What each row of a block captures in a level of that amount, and the row before; `trap` is in units of the amount. */
static inline const double *NAME(captures)(const double *trap, double amount, double *own)
{
    const vec factor = SPREAD(amount);

    own[LANES - 1] = amount * trap[-1];
    own += LANES;
    for (ptrdiff_t row = 0; row < BLOCK; row += LANES)
        STORE(own + row, MUL(factor, LOAD(trap + row)));
    return own;
}

/* The readout; `equal` is a constant, as of the plan. */
static inline void NAME(read)(const cal_cte_plan *plan, cte_column *column, const int equal)
{
    const ptrdiff_t n_block = (column->n_row + BLOCK - 1) / BLOCK;
    const ptrdiff_t n_level = plan->n_level, n_tail = plan->n_tail;
    const double *const charge = plan->charge, *const growth = plan->growth;
    const cte_lanes *const lanes = plan->lanes;
    cte_state *const state = column->state;
    double own_traps[LANES + BLOCK];

    (void)lanes;
    for (ptrdiff_t block = 0; block < n_block; ++block)
        NAME(range)(column, block);

    for (ptrdiff_t step = 0; step < plan->n_transfer; ++step) {
        ptrdiff_t live = -1;  /* highest level with a trail that reaches into the block */
        ptrdiff_t clean = -1; /* highest level whose state belongs to this sub-step */

        for (ptrdiff_t block = 0; block < n_block; ++block) {
            const ptrdiff_t first = block * BLOCK;
            double *const packet = column->packet + first;
            const double *here = column->trap + first;
            double most = column->trap_most[block];
            double bound = column->high[block], low = column->low[block]; /* no packet is above or below */
            ptrdiff_t reach = column->reach[block], top, next_live = -1;
            uint64_t mask_above = 0; /* of the last level that was taken alone */

            while (reach < n_level && charge[reach] <= bound)
                ++reach;
            while (reach > 0 && charge[reach - 1] > bound)
                --reach;
            column->reach[block] = reach;
            top = reach - 1 > live ? reach - 1 : live;
            for (; clean < top; ++clean) {
                state[clean + 1].row = CTE_NEVER;
                state[clean + 1].trapped = 0.0;
            }
            if (most < 0.0) {
                live = cal_cte_readout_block(plan, column, first, BLOCK, top);
                NAME(range)(column, block);
                continue;
            }

#define GET(g) vec p##g = LOAD(packet + (g) * LANES);
            EACH(GET)
            for (ptrdiff_t level = top; level >= 0; --level) {
                const double threshold = charge[level];
                const double *const release = plan->release + level * plan->stride;
                const double *const held = plan->held + level * plan->stride;
                const double *carried = &state[level].trapped;
                ptrdiff_t last = state[level].row - first; /* < 0 */
                uint64_t mask = 0;

                if (threshold <= low)
                    mask = ALL;
                else if (threshold <= bound)
                    mask = AT_LEAST(threshold);
                if (!equal) {
                    most = plan->amount[level] * column->trap_most[block];
                    if (mask != 0)
                        here = NAME(captures)(column->trap + first, plan->amount[level], own_traps);
                }
                if (mask == ALL && last == -1) {
                    /* Every row captures, and so did the one before the block; and likewise at the levels below, as long
                     * as bounds show it. */
                    if (next_live < 0)
                        next_live = level;
                    for (;;) {
                        const double r0 = plan->release[level * plan->stride], h0 = plan->held[level * plan->stride];

                        if (level < CTE_DENSE) {
                            const double *const change = NAME(dense)(column, block, level, here, r0, h0);

#define DENSE(g) p##g = ADD(p##g, LOAD(change + (g) * LANES));
                            EACH(DENSE)
                        } else {
                            const vec r = SPREAD(r0), h = SPREAD(h0);

#define CHANGE(g) p##g = ADD(p##g, NAME(change)(here + (g) * LANES, r, h));
                            EACH(CHANGE)
                        }
                        low -= most;
                        bound += growth[level] * most;
                        state[level].row = first + BLOCK - 1;
                        state[level].trapped = here[BLOCK - 1];
                        if (level == 0 || !equal || charge[level - 1] > low || state[level - 1].row != first - 1)
                            break;
                        --level;
                    }
                    continue;
                } else if (mask != 0 && (mask & (mask - 1)) == 0 && -1 - last >= n_tail) {
                    /* One row captures and nothing trails into the block.  The levels below go the same way, as long as
                     * bounds show that this row keeps reaching them and no other one does. */
                    const ptrdiff_t row = LOWEST_BIT(mask);
                    const vec trapped = SPREAD(here[row]), none = SPREAD(-DBL_MAX);
                    double own = threshold, others = HIGHEST_OTHER;

                    if (next_live < 0 && row + n_tail >= BLOCK)
                        next_live = level;
                    for (;;) {
                        const double *const from = plan->release + level * plan->stride - 1 - row;

                        switch (row / LANES) {
                        case 0: TRAIL(0) /* fall through */
                        case 1: TRAIL(1) /* fall through */
                        case 2: TRAIL(2) /* fall through */
                        case 3: TRAIL(3) /* fall through */
                        case 4: TRAIL(4) /* fall through */
                        case 5: TRAIL(5) /* fall through */
                        case 6: TRAIL(6) /* fall through */
                        default: TRAIL(7)
                        }
                        state[level].row = first + row;
                        state[level].trapped = here[row];
                        bound += growth[level] * most;
                        low -= most;
                        others += growth[level] * most;
                        own -= here[row];
                        if (level == 0 || !equal || charge[level - 1] > own || charge[level - 1] <= others ||
                            first - 1 - state[level - 1].row < n_tail)
                            break;
                        --level;
                    }
                    continue;
                } else if (mask != 0 && mask == mask_above && equal && COUNT_BITS(mask) <= MOST_ROWS) {
                    /* The rows that captured in the level above do so again.  The levels below go the same way, as long as
                     * bounds show that these rows keep reaching them and no other one does, and as the same trail comes in. */
                    const ptrdiff_t start = -1 - last < n_tail ? -1 - last : n_tail;
                    const double incoming = *carried;
                    const vec none = SPREAD(-DBL_MAX);
                    double own = threshold, others = HIGHEST_OTHER;
                    ptrdiff_t age = start, lowest = level, down;

                    last = HIGHEST_BIT(mask);
                    if (next_live < 0 && last + n_tail >= BLOCK)
                        next_live = level;
                    for (;;) {
                        ptrdiff_t below;

                        state[lowest].row = first + last;
                        state[lowest].trapped = here[last];
                        bound += growth[lowest] * most;
                        low -= most;
                        others += growth[lowest] * most;
                        own -= most;
                        if (lowest == 0 || charge[lowest - 1] > own || charge[lowest - 1] <= others)
                            break;
                        below = first - 1 - state[lowest - 1].row;
                        if (start < n_tail ? below != start || state[lowest - 1].trapped != incoming : below < n_tail)
                            break;
                        --lowest;
                    }
                    carried = &incoming;
                    down = (lowest - level) * plan->stride;
                    EACH(FEW)
                    level = lowest;
                    continue;
                } else if (mask != 0) {
                    const vec r = LOAD(release), h = LOAD(held), r0 = SPREAD(release[0]), h0 = SPREAD(held[0]);
                    const double *const change =
                        level < CTE_DENSE ? NAME(dense)(column, block, level, here, release[0], held[0]) : NULL;
                    ptrdiff_t age = -1 - last < n_tail ? -1 - last : n_tail;

                    EACH(SOME)
                    mask_above = mask;
                    last = HIGHEST_BIT(mask);
                    carried = here + last;
                } else if (-1 - last < n_tail) {
                    /* Nothing but a trail; the levels below go the same way, as long as it is the same and bounds show
                     * that no row reaches them. */
                    const double value = *carried;
                    const vec trapped = SPREAD(value);

                    if (next_live < 0 && last + n_tail >= BLOCK)
                        next_live = level;
                    for (;;) {
                        const double *const from = plan->release + level * plan->stride - 1 - last;

                        switch ((n_tail + last + LANES) / LANES) {
                        default: TRAIL(7) /* fall through */
                        case 7: TRAIL(6) /* fall through */
                        case 6: TRAIL(5) /* fall through */
                        case 5: TRAIL(4) /* fall through */
                        case 4: TRAIL(3) /* fall through */
                        case 3: TRAIL(2) /* fall through */
                        case 2: TRAIL(1) /* fall through */
                        case 1: TRAIL(0)
                        }
                        if (level == 0 || !equal || charge[level - 1] <= bound + growth[level] * most ||
                            state[level - 1].row != first + last || state[level - 1].trapped != value)
                            break;
                        bound += growth[level] * most;
                        --level;
                    }
                } else {
                    continue;
                }
                if (mask != 0) {
                    low -= most;
                    state[level].row = first + last;
                    state[level].trapped = *carried;
                }
                bound += growth[level] * most;
                if (next_live < 0 && last + n_tail >= BLOCK)
                    next_live = level;
            }
            live = next_live;
            if (top >= 0) {
#define PUT(g) STORE(packet + (g) * LANES, p##g);
                EACH(PUT)
                /* Exact again, for the next sub-step; nothing here waits for it. */
                column->high[block] = HIGHEST(MAX(MAX(MAX(p0, p1), MAX(p2, p3)), MAX(MAX(p4, p5), MAX(p6, p7))));
                column->low[block] = LOWEST(MIN(MIN(MIN(p0, p1), MIN(p2, p3)), MIN(MIN(p4, p5), MIN(p6, p7))));
            }
        }
    }
    /* An untouched -0 becomes +0, as every addition of the plain statement makes it. */
    for (ptrdiff_t row = 0; row < column->n_row; ++row)
        column->packet[row] += 0.0;
}

static void NAME(readout)(const cal_cte_plan *plan, cte_column *column)
{
    if (plan->equal)
        NAME(read)(plan, column, 1);
    else
        NAME(read)(plan, column, 0);
}

static void NAME(update)(cte_column *column, double noise_squared)
{
    const vec noise = SPREAD(noise_squared);

    for (ptrdiff_t row = 0; row < column->n_row; row += LANES) {
        vec excess = SUB(LOAD(column->packet + row), LOAD(column->observed + row));

        if (noise_squared >= 0.0) {
            const vec square = MUL(excess, excess);

            excess = MUL(excess, DIV(square, ADD(square, noise)));
        }
        STORE(column->packet + row, SUB(LOAD(column->start + row), excess));
    }
}
