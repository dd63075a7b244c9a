/* cte_readout_impl.h -- the simulated readout, several rows at a time; included once per instruction set.
 *
 * The includer defines
 *   LANES, NAME(x)           rows in a vector; decorated function name
 *   vec                      vector of LANES doubles, with
 *   LOAD STORE SPREAD ADD SUB MUL DIV MAX MIN
 *   HIGHEST LOWEST           largest and smallest lane
 *   AT_LEAST(x)           mask of the 8 * LANES rows in p0 .. p7 that are at least x
 *   CAPTURE(...)             see cte_avx512.c
 *   ALL                      mask of 8 * LANES set bits;  HIGHEST_BIT LOWEST_BIT COUNT_BITS of a mask
 *   FEW                      captures in a block up to which vectors without one are told apart
 *
 * A row changes only at its own step within a level, so which rows capture is known before the level is run; and rows
 * depend on earlier rows only, so a block of 8 * LANES rows, held in registers, can go through all levels of a
 * sub-step before the next block is touched.  Per level there remain, from block to block, the row of the last capture
 * and the charge trapped there.  Blocks in which the trap density falls take the plain path.
 */

#define BLOCK (8 * LANES)
#define EACH(do_) do_(0) do_(1) do_(2) do_(3) do_(4) do_(5) do_(6) do_(7)

/* Rows of one vector, of which those of `now` capture. */
#define NOW(g) const unsigned now = (unsigned)(mask >> ((g) * LANES)) & ((1U << LANES) - 1);
#define FILL(g)                                                                                             \
    {                                                                                                       \
        const ptrdiff_t ago = (g) * LANES - 1 - last, age = ago < n_tail ? ago : n_tail;                    \
                                                                                                            \
        p##g = CAPTURE(p##g, now, release + age, held + age, r, h, LOAD(here + (g) * LANES), carried, lanes); \
    }
#define KEEP(g)                                \
    {                                          \
        last = (g) * LANES + HIGHEST_BIT(now); \
        carried = here + last;                 \
    }
#define MANY(g)     \
    {               \
        NOW(g)      \
        FILL(g)     \
        if (now)    \
            KEEP(g) \
    }
#define SOME(g)                                                                              \
    {                                                                                        \
        NOW(g)                                                                               \
        if (now) {                                                                           \
            FILL(g)                                                                          \
            KEEP(g)                                                                          \
        } else if ((g) * LANES - 1 - last < n_tail) {                                        \
            p##g = ADD(p##g, MUL(LOAD(release + (g) * LANES - 1 - last), SPREAD(*carried))); \
        }                                                                                    \
    }

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
static inline const double *NAME(dense)(cte_column *column, ptrdiff_t block, ptrdiff_t level, double release,
                                        double held)
{
    double *const change = column->dense + (block * CTE_DENSE + level) * BLOCK;
    unsigned char *const known = column->known + block * CTE_DENSE + level;

    if (!*known) {
        const vec r = SPREAD(release), h = SPREAD(held);

        for (ptrdiff_t row = 0; row < BLOCK; row += LANES)
            STORE(change + row, NAME(change)(column->trap + block * BLOCK + row, r, h));
        *known = 1;
    }
    return change;
}

static void NAME(readout)(const cal_cte_plan *plan, cte_column *column)
{
    const ptrdiff_t n_block = (column->n_row + BLOCK - 1) / BLOCK;
    const ptrdiff_t n_level = plan->n_level, n_tail = plan->n_tail;
    const double *const charge = plan->charge, *const growth = plan->growth;
    const cte_lanes *const lanes = plan->lanes;
    cte_state *const state = column->state;

    (void)lanes;
    for (ptrdiff_t block = 0; block < n_block; ++block)
        NAME(range)(column, block);

    for (ptrdiff_t step = 0; step < plan->n_transfer; ++step) {
        ptrdiff_t live = -1;  /* highest level with a trail that reaches into the block */
        ptrdiff_t clean = -1; /* highest level whose state belongs to this sub-step */

        for (ptrdiff_t block = 0; block < n_block; ++block) {
            const ptrdiff_t first = block * BLOCK;
            double *const packet = column->packet + first;
            const double *const here = column->trap + first;
            const double most = column->trap_most[block];
            double bound = column->high[block], low = column->low[block]; /* no packet is above or below */
            ptrdiff_t reach = column->reach[block], top, next_live = -1;

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
                if (mask == ALL && last == -1) {
                    if (level < CTE_DENSE) {
                        const double *const change = NAME(dense)(column, block, level, release[0], held[0]);

#define DENSE(g) p##g = ADD(p##g, LOAD(change + (g) * LANES));
                        EACH(DENSE)
                    } else {
                        const vec r = SPREAD(release[0]), h = SPREAD(held[0]);

#define CHANGE(g) p##g = ADD(p##g, NAME(change)(here + (g) * LANES, r, h));
                        EACH(CHANGE)
                    }
                    last = BLOCK - 1;
                    carried = here + last;
                } else if (mask != 0) {
                    const vec r = LOAD(release), h = LOAD(held);

                    if (COUNT_BITS(mask) > FEW) {
                        EACH(MANY)
                    } else {
                        EACH(SOME)
                    }
                } else if (-1 - last < n_tail) {
                    const vec trapped = SPREAD(*carried);
                    const double *const r = release - 1 - last;

#define TRAIL(g) p##g = ADD(p##g, MUL(LOAD(r + (g) * LANES), trapped));
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
