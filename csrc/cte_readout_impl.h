/* cte_readout_impl.h -- the simulated readout, several rows at a time; included once per instruction set.
 *
 * The includer defines the vector type and operations:
 *   LANES, NAME(x)           rows in a vector, decorated function name
 *   vec                      vector of LANES doubles
 *   LOAD STORE SPREAD ADD SUB MUL MAX MIN AT_LEAST HIGHEST LOWEST CAPTURE
 *
 * A row changes only at its own step within a level, so which rows capture is known before the level is run; and rows
 * depend on earlier rows only, so a block of 8 * LANES rows, held in registers, can go through all levels of a
 * sub-step before the next block is touched.  Per level there remain, from block to block, the row of the last capture
 * and the charge trapped there.  Blocks in which the trap density falls take the plain path.
 */

#define BLOCK (8 * LANES)
#define EACH(do_) do_(0) do_(1) do_(2) do_(3) do_(4) do_(5) do_(6) do_(7)

static void NAME(readout)(const cal_cte_plan *plan, cte_column *column)
{
    const ptrdiff_t n_block = (column->n_row + BLOCK - 1) / BLOCK;
    const ptrdiff_t stride = plan->stride;
    const ptrdiff_t n_tail = plan->n_tail;
    const double *const charge = plan->charge;
    const double *const growth = plan->growth;
    const double *const trap = column->trap;
    cte_state *const state = column->state;

    for (ptrdiff_t step = 0; step < plan->n_transfer; ++step) {
        ptrdiff_t live = -1;  /* highest level with a trail that reaches into the block */
        ptrdiff_t clean = -1; /* highest level whose state belongs to this sub-step */
        ptrdiff_t reach = 0;  /* lowest level that no packet of the block reaches */

        for (ptrdiff_t block = 0; block < n_block; ++block) {
            const ptrdiff_t first = block * BLOCK;
            double *const packet = column->packet + first;
            const double *const here = trap + first;
            const double most = column->trap_most[block];
            ptrdiff_t top, next_live = -1;
            double bound, low;
            vec high_, low_;

#define DO(g) vec p##g = LOAD(packet + (g) * LANES);
            EACH(DO)
#undef DO
            high_ = MAX(MAX(MAX(p0, p1), MAX(p2, p3)), MAX(MAX(p4, p5), MAX(p6, p7)));
            low_ = MIN(MIN(MIN(p0, p1), MIN(p2, p3)), MIN(MIN(p4, p5), MIN(p6, p7)));
            bound = HIGHEST(high_);
            low = LOWEST(low_);
            while (reach < plan->n_level && charge[reach] <= bound)
                ++reach;
            while (reach > 0 && charge[reach - 1] > bound)
                --reach;
            top = reach - 1 > live ? reach - 1 : live;
            for (; clean < top; ++clean) {
                state[clean + 1].row = CTE_NEVER;
                state[clean + 1].trapped = 0.0;
            }
            if (most < 0.0) {
                live = cal_cte_readout_block(plan, column, first, BLOCK, top);
                continue;
            }

            for (ptrdiff_t level = top; level >= 0; --level) {
                const double threshold = charge[level];
                const double *const release = plan->release + level * stride;
                const double *const held = plan->held + level * stride;
                const ptrdiff_t last = state[level].row;
                const ptrdiff_t since = first - 1 - last < n_tail ? first - 1 - last : n_tail;
                uint64_t mask = 0;

                if (threshold <= bound) {
                    if (threshold <= low) {
                        mask = CTE_ALL;
                    } else {
                        const vec limit = SPREAD(threshold);
#define DO(g) mask |= (uint64_t)AT_LEAST(p##g, limit) << ((g) * LANES);
                        EACH(DO)
#undef DO
                    }
                }
                if (mask == 0) {
                    if (since < n_tail) {
                        const vec trapped = SPREAD(state[level].trapped);
                        const double *const r = release + since;

#define TRAIL(g) p##g = ADD(p##g, MUL(LOAD(r + (g) * LANES), trapped));
                        switch ((n_tail - since + LANES - 1) / LANES) {
                        default: TRAIL(7) /* fall through */
                        case 7: TRAIL(6) /* fall through */
                        case 6: TRAIL(5) /* fall through */
                        case 5: TRAIL(4) /* fall through */
                        case 4: TRAIL(3) /* fall through */
                        case 3: TRAIL(2) /* fall through */
                        case 2: TRAIL(1) /* fall through */
                        case 1: TRAIL(0)
                        }
#undef TRAIL
                        bound += growth[level] * most;
                        if (next_live < 0 && last + n_tail >= first + BLOCK)
                            next_live = level;
                    }
                    continue;
                }
                if (mask == CTE_ALL && last == first - 1) {
                    const vec r = SPREAD(release[0]), h = SPREAD(held[0]);

#define DO(g)                                                                          \
    {                                                                                  \
        const vec before = LOAD(here + (g) * LANES - 1);                               \
        p##g = ADD(p##g, SUB(ADD(MUL(r, before), MUL(h, before)), LOAD(here + (g) * LANES))); \
    }
                    EACH(DO)
#undef DO
                } else {
                    const vec r = LOAD(release), h = LOAD(held);

#define DO(g)                                                                                        \
    {                                                                                                \
        const unsigned now = (unsigned)(mask >> ((g) * LANES)) & ((1U << LANES) - 1);               \
        const uint64_t earlier = mask & (((uint64_t)1 << ((g) * LANES)) - 1);                        \
        const ptrdiff_t from = earlier ? CTE_HIGHEST_BIT(earlier) : 0;                               \
        const double *const trapped = earlier ? here + from : &state[level].trapped;                 \
        const ptrdiff_t age = earlier ? (g) * LANES - 1 - from : since + (g) * LANES;                \
                                                                                                     \
        if (now)                                                                                     \
            p##g = CAPTURE(plan->last, p##g, now, release + (age < n_tail ? age : n_tail),                       \
                           held + (age < n_tail ? age : n_tail), r, h, LOAD(here + (g) * LANES), trapped); \
        else if (age < n_tail)                                                                       \
            p##g = ADD(p##g, MUL(LOAD(release + age), SPREAD(*trapped)));                            \
    }
                    EACH(DO)
#undef DO
                }
                bound += growth[level] * most;
                low -= most;
                state[level].row = first + CTE_HIGHEST_BIT(mask);
                state[level].trapped = here[CTE_HIGHEST_BIT(mask)];
                if (next_live < 0)
                    next_live = level;
            }
#define DO(g) STORE(packet + (g) * LANES, p##g);
            if (top >= 0) {
                EACH(DO)
            }
#undef DO
            live = next_live;
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

const cte_kernels NAME(cal_cte) = {BLOCK, NAME(readout), NAME(update)};

#undef BLOCK
#undef EACH
