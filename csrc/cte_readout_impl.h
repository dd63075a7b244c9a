/* cte_readout_impl.h -- the simulated readout, several rows at a time; included once per instruction set.
 *
 * The includer defines
 *   LANES, NAME(x)           rows in a vector; decorated function name
 *   vec                      vector of LANES doubles, with
 *   LOAD STORE SPREAD ADD SUB MUL DIV MAX MIN
 *   HIGHEST LOWEST           largest and smallest lane
 *   AT_LEAST(x, c)           mask of the 8 * LANES rows in p0##c .. p7##c that are at least x
 *   CAPTURE(...)             see cte_avx512.c
 *   ALL                      mask of 8 * LANES set bits;  HIGHEST_BIT LOWEST_BIT COUNT_BITS of a mask
 *   FEW                      captures in a block up to which vectors without one are told apart
 *   PAIRS                    1: two columns at a time, for processors with registers for both
 *
 * A row changes only at its own step within a level, so which rows capture is known before the level is run; and rows
 * depend on earlier rows only, so a block of 8 * LANES rows, held in registers, can go through all levels of a
 * sub-step before the next block is touched.  Per level there remain, from block to block, the row of the last capture
 * and the charge trapped there.  Blocks in which the trap density falls take the plain path.  A level waits for the one
 * above it, from the comparison to the sum, so that a second column has its work done in the meantime.
 */

#define BLOCK (8 * LANES)
#define EACH(do_, c) do_(0, c) do_(1, c) do_(2, c) do_(3, c) do_(4, c) do_(5, c) do_(6, c) do_(7, c)
#if PAIRS
#define BOTH(do_) do_(_a) do_(_b)
#else
#define BOTH(do_) do_(_a)
#endif

/* Each row captures, and so does the row before it. */
#define DENSE(g, c)                                                                                          \
    {                                                                                                        \
        const vec before = LOAD(here##c + (g) * LANES - 1);                                                  \
        p##g##c = ADD(p##g##c, SUB(ADD(MUL(r0, before), MUL(h0, before)), LOAD(here##c + (g) * LANES)));     \
    }

/* Rows of one vector, of which those of `now` capture. */
#define FILL(g, c)                                                                                           \
    {                                                                                                        \
        const ptrdiff_t ago = (g) * LANES - 1 - last, age = ago < n_tail ? ago : n_tail;                     \
                                                                                                             \
        p##g##c = CAPTURE(p##g##c, now, release + age, held + age, r, h, LOAD(here##c + (g) * LANES), carried, \
                          behind);                                                                           \
    }
#define NOW(g) const unsigned now = (unsigned)(mask >> ((g) * LANES)) & ((1U << LANES) - 1);
#define KEEP(g, c)                             \
    {                                          \
        last = (g) * LANES + HIGHEST_BIT(now); \
        carried = here##c + last;              \
    }
#define MANY(g, c)     \
    {                  \
        NOW(g)         \
        FILL(g, c)     \
        if (now)       \
            KEEP(g, c) \
    }
#define SOME(g, c)                                                                                  \
    {                                                                                               \
        NOW(g)                                                                                      \
        if (now) {                                                                                  \
            FILL(g, c)                                                                              \
            KEEP(g, c)                                                                              \
        } else if ((g) * LANES - 1 - last < n_tail) {                                               \
            p##g##c = ADD(p##g##c, MUL(LOAD(release + (g) * LANES - 1 - last), SPREAD(*carried)));  \
        }                                                                                           \
    }
#define GO_ON(g, c) p##g##c = ADD(p##g##c, MUL(LOAD(r + (g) * LANES), trapped));

/* One level of one column in the block. */
#define LEVEL(c)                                                                        \
    if (level <= top##c) {                                                              \
        const double *carried = &state##c[level].trapped;                               \
        ptrdiff_t last = state##c[level].row - first; /* < 0 */                         \
        uint64_t mask = 0;                                                              \
        int active = 1;                                                                 \
                                                                                        \
        if (threshold <= low##c)                                                        \
            mask = ALL;                                                                 \
        else if (threshold <= bound##c)                                                 \
            mask = AT_LEAST(threshold, c);                                              \
        if (mask != 0) {                                                                \
            if (mask == ALL && last == -1) {                                            \
                const vec r0 = SPREAD(release[0]), h0 = SPREAD(held[0]);                \
                                                                                        \
                EACH(DENSE, c)                                                          \
                last = BLOCK - 1;                                                       \
                carried = here##c + last;                                               \
            } else {                                                                    \
                const vec r = LOAD(release), h = LOAD(held);                            \
                                                                                        \
                if (COUNT_BITS(mask) > FEW) {                                           \
                    EACH(MANY, c)                                                       \
                } else {                                                                \
                    EACH(SOME, c)                                                       \
                }                                                                       \
            }                                                                           \
            low##c -= most##c;                                                          \
            state##c[level].row = first + last;                                         \
            state##c[level].trapped = *carried;                                         \
        } else if (-1 - last < n_tail) {                                                \
            const vec trapped = SPREAD(*carried);                                       \
            const double *const r = release - 1 - last;                                 \
                                                                                        \
            switch ((n_tail + last + LANES) / LANES) {                                  \
            default: GO_ON(7, c) /* fall through */                                     \
            case 7: GO_ON(6, c) /* fall through */                                      \
            case 6: GO_ON(5, c) /* fall through */                                      \
            case 5: GO_ON(4, c) /* fall through */                                      \
            case 4: GO_ON(3, c) /* fall through */                                      \
            case 3: GO_ON(2, c) /* fall through */                                      \
            case 2: GO_ON(1, c) /* fall through */                                      \
            case 1: GO_ON(0, c)                                                         \
            }                                                                           \
        } else {                                                                        \
            active = 0;                                                                 \
        }                                                                               \
        if (active) {                                                                   \
            bound##c += growth[level] * most##c;                                        \
            if (next_live##c < 0 && last + n_tail >= BLOCK)                             \
                next_live##c = level;                                                   \
        }                                                                               \
    }

/* What stays with a column from block to block: the highest level with a trail that reaches into the block, and the
 * highest level whose state belongs to this sub-step. */
#define START(c) ptrdiff_t live##c = -1, clean##c = -1;

/* Load the block, and find the highest level that has to do with it. */
#define GET(g, c) vec p##g##c = LOAD(packet##c + (g) * LANES);
#define ENTER(c)                                                                                          \
    double *const packet##c = column##c->packet + first;                                                  \
    const double *const here##c = column##c->trap + first;                                                \
    const double most##c = column##c->trap_most[block];                                                   \
    double bound##c = column##c->high[block], low##c = column##c->low[block];                             \
    ptrdiff_t top##c = -1, next_live##c = -1;                                                             \
    EACH(GET, c)                                                                                          \
    if (present##c) {                                                                                     \
        ptrdiff_t reach = column##c->reach[block];                                                        \
                                                                                                          \
        while (reach < plan->n_level && charge[reach] <= bound##c)                                        \
            ++reach;                                                                                      \
        while (reach > 0 && charge[reach - 1] > bound##c)                                                 \
            --reach;                                                                                      \
        column##c->reach[block] = reach;                                                                  \
        top##c = reach - 1 > live##c ? reach - 1 : live##c;                                               \
        for (; clean##c < top##c; ++clean##c) {                                                           \
            state##c[clean##c + 1].row = CTE_NEVER;                                                       \
            state##c[clean##c + 1].trapped = 0.0;                                                         \
        }                                                                                                 \
        if (most##c < 0.0) {                                                                              \
            next_live##c = cal_cte_readout_block(plan, column##c, first, BLOCK, top##c);                  \
            NAME(range)(column##c, block);                                                                \
            top##c = -1;                                                                                  \
        }                                                                                                 \
    }

/* Store the block, and the range of its charge for the next sub-step. */
#define PUT(g, c) STORE(packet##c + (g) * LANES, p##g##c);
#define LEAVE(c)                                                                                          \
    if (top##c >= 0) {                                                                                    \
        EACH(PUT, c)                                                                                      \
        column##c->high[block] = HIGHEST(MAX(MAX(MAX(p0##c, p1##c), MAX(p2##c, p3##c)),                   \
                                             MAX(MAX(p4##c, p5##c), MAX(p6##c, p7##c))));                 \
        column##c->low[block] = LOWEST(MIN(MIN(MIN(p0##c, p1##c), MIN(p2##c, p3##c)),                     \
                                           MIN(MIN(p4##c, p5##c), MIN(p6##c, p7##c))));                   \
    }                                                                                                     \
    live##c = next_live##c;

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

static void NAME(readout)(const cal_cte_plan *plan, cte_column *column_a, cte_column *other)
{
    const ptrdiff_t n_block = (column_a->n_row + BLOCK - 1) / BLOCK;
    const ptrdiff_t stride = plan->stride, n_tail = plan->n_tail;
    const double *const charge = plan->charge, *const growth = plan->growth;
    const int8_t *const behind = plan->last;
    cte_state *const state_a = column_a->state;
    const int present_a = 1;
#if PAIRS
    cte_column *const column_b = other != NULL ? other : column_a;
    cte_state *const state_b = column_b->state;
    const int present_b = other != NULL;
#endif

    (void)behind;
    for (ptrdiff_t block = 0; block < n_block; ++block) {
        NAME(range)(column_a, block);
        if (other != NULL)
            NAME(range)(other, block);
    }
    for (ptrdiff_t step = 0; step < plan->n_transfer; ++step) {
        BOTH(START)

        for (ptrdiff_t block = 0; block < n_block; ++block) {
            const ptrdiff_t first = block * BLOCK;
            ptrdiff_t level;

            BOTH(ENTER)
            level = top_a;
#if PAIRS
            level = top_b > level ? top_b : level;
#endif
            for (; level >= 0; --level) {
                const double threshold = charge[level];
                const double *const release = plan->release + level * stride;
                const double *const held = plan->held + level * stride;

                BOTH(LEVEL)
            }
            BOTH(LEAVE)
        }
    }
    /* An untouched -0 becomes +0, as every addition of the plain statement makes it. */
    for (ptrdiff_t row = 0; row < column_a->n_row; ++row)
        column_a->packet[row] += 0.0;
    if (other != NULL)
        for (ptrdiff_t row = 0; row < other->n_row; ++row)
            other->packet[row] += 0.0;
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
