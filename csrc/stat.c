/* Statistics of good pixels. */
#include <string.h>

#include "internal.h"

/* Pixels that are taken together: few, so that a processor that waits for the sums of some can begin with the next ones. */
enum { CHUNK = 64 };

/* Pixels as they are summed: -0 stands in for those that are not good, and changes no bit of a sum. */
typedef struct {
    int32_t good[CHUNK];
    float sci[CHUNK], err[CHUNK], rounded[CHUNK];
    double snr[CHUNK]; /* and what it is in float */
} chunk;

/* Fill a chunk with n pixels, and with pixels that do not count.  Loops of constant length become vectors. */
static inline void fill(chunk *CAL_RESTRICT c, const float *sci, const float *err, const int16_t *dq, ptrdiff_t n,
                 int16_t bad_bits, cal_stat_image *stat)
{
    float s[CHUNK], e[CHUNK], divisor[CHUNK];
    int16_t flag[CHUNK];
    int n_valid = 0, n_good = 0;

    /* Local copies may be read where they do not count. */
    memcpy(s, sci, (size_t)n * sizeof *s);
    memcpy(e, err, (size_t)n * sizeof *e);
    memcpy(flag, dq, (size_t)n * sizeof *flag);
    for (ptrdiff_t i = n; i < CHUNK; i++) {
        s[i] = e[i] = 0.0F;
        flag[i] = 0;
    }
    for (int i = 0; i < CHUNK; i++) {
        int32_t valid = (bad_bits & flag[i]) == 0;

        c->good[i] = valid & !(e[i] <= 0.0F);
        n_valid += valid;
        n_good += c->good[i];
    }
    for (int i = 0; i < CHUNK; i++) {
        c->sci[i] = c->good[i] ? s[i] : -0.0F;
        c->err[i] = c->good[i] ? e[i] : -0.0F;
        divisor[i] = c->good[i] ? e[i] : 1.0F;
    }
    for (int i = 0; i < CHUNK; i++) {
        c->snr[i] = (double)c->sci[i] / (double)divisor[i];
        c->rounded[i] = (float)c->snr[i];
    }
    stat->n_good += n_good;
    stat->n_no_error += n_valid - n_good - (CHUNK - n);
}

static void begin(cal_stat_range *range, double value)
{
    range->sum = -0.0;
    range->min = range->max = value;
}

/* Extend a range. */
static void extend(cal_stat_range *range, double value)
{
    if (value < range->min) range->min = value;
    if (value > range->max) range->max = value;
}

/* May any pixel lie outside the ranges?  That is rare after the first pixels. */
static inline int any_outside(const chunk *c, const cal_stat_image *stat)
{
    const float sci_min = (float)stat->sci.min, sci_max = (float)stat->sci.max;
    const float err_min = (float)stat->err.min, err_max = (float)stat->err.max;
    const float snr_min = (float)stat->snr.min, snr_max = (float)stat->snr.max;
    int32_t n = 0;

    for (int i = 0; i < CHUNK; i++) {
        int32_t sci = (c->sci[i] < sci_min) | (c->sci[i] > sci_max);
        int32_t err = (c->err[i] < err_min) | (c->err[i] > err_max);
        int32_t snr = (c->rounded[i] <= snr_min) | (c->rounded[i] >= snr_max);

        n += c->good[i] & (sci | err | snr);
    }
    return n > 0;
}

CAL_CLONES
void cal_stat_add(const float *sci, const float *err, const int16_t *dq, ptrdiff_t n, int16_t bad_bits,
                  cal_stat_image *stat)
{
    cal_stat_image s = *stat;
    chunk c;

    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        int begun = s.n_good > 0;

        fill(&c, sci + first, err + first, dq + first, n - first < CHUNK ? n - first : CHUNK, bad_bits, &s);
        for (int i = 0; i < CHUNK && !begun; i++) {
            if (!c.good[i]) continue;
            begin(&s.sci, (double)c.sci[i]);
            begin(&s.err, (double)c.err[i]);
            begin(&s.snr, c.snr[i]);
            begun = 1;
        }
        for (int i = 0; i < CHUNK; i++) {
            s.sci.sum += (double)c.sci[i];
            s.err.sum += (double)c.err[i];
            s.snr.sum += c.snr[i];
        }
        if (!any_outside(&c, &s)) continue;
        for (int i = 0; i < CHUNK; i++) {
            if (!c.good[i]) continue;
            extend(&s.sci, (double)c.sci[i]);
            extend(&s.err, (double)c.err[i]);
            extend(&s.snr, c.snr[i]);
        }
    }
    *stat = s;
}
