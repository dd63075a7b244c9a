/* Shutter shading. */
#include "internal.h"

/* Where an expanded pixel lies among the binned ones of one axis. */
typedef struct {
    ptrdiff_t first;   /* the values first and first + 1 are interpolated */
    float low, high;   /* their weights */
    ptrdiff_t flag[2]; /* the flags of these are combined; they are the same where the place is that of a binned pixel */
} place;

static place place_of(ptrdiff_t i, ptrdiff_t ratio, ptrdiff_t n)
{
    float at = ((float)i - (float)(ratio - 1) / 2.0F) / (float)ratio;
    ptrdiff_t whole = (ptrdiff_t)at;
    int alone = at == (float)whole;
    place found;

    found.first = whole > n - 2 ? n - 2 : whole;
    if (found.first < 0) found.first = 0;
    found.high = at - (float)found.first;
    found.low = 1.0F - found.high;
    if (whole <= 0 || whole >= n - 1) {
        whole = whole <= 0 ? 0 : n - 1;
        alone = 1;
    }
    found.flag[0] = whole;
    found.flag[1] = alone ? whole : whole + 1;
    return found;
}

/* Weighted sum of four values at the corners of a cell; each term is (weight * a) * b, left to right. */
static float corners(const float weight[4], const float a[4], const float b[4])
{
    return weight[0] * a[0] * b[0] + weight[1] * a[1] * b[1] + weight[2] * a[2] * b[2] + weight[3] * a[3] * b[3];
}

static const float one[4] = {1.0F, 1.0F, 1.0F, 1.0F};

static void expand_pixel(const cal_shad_binned *b, ptrdiff_t pair, place y, place x, float *sci, float *err)
{
    ptrdiff_t col = b->x == 1 ? x.flag[0] : x.first, row = pair + (b->y == 1 ? y.flag[0] : y.first);
    ptrdiff_t low = row * b->n_col + col, high = low + b->n_col;

    if (b->y == 1) {
        *sci = x.low * b->sci[low] + x.high * b->sci[low + 1];
        *err = sqrtf(x.low * b->err[low] * b->err[low] + x.high * b->err[low + 1] * b->err[low + 1]);
    } else if (b->x == 1) {
        *sci = y.low * b->sci[low] + y.high * b->sci[high];
        *err = sqrtf(y.low * b->err[low] * b->err[low] + y.high * b->err[high] * b->err[high]);
    } else {
        float weight[4] = {x.low * y.low, x.high * y.low, x.low * y.high, x.high * y.high};
        float value[4] = {b->sci[low], b->sci[low + 1], b->sci[high], b->sci[high + 1]};
        float sigma[4] = {b->err[low], b->err[low + 1], b->err[high], b->err[high + 1]};

        *sci = corners(weight, value, one);
        *err = sqrtf(corners(weight, sigma, sigma));
    }
}

int cal_shad_expand(const cal_shad_binned *b, ptrdiff_t row_first, ptrdiff_t row_last, ptrdiff_t col_first,
                    ptrdiff_t col_last, float *sci, float *err, int16_t *dq)
{
    if (b->x < 1 || b->y < 1 || b->n_row % 2 != 0 || b->n_col < (b->x > 1 ? 2 : 1)) return CAL_BAD_SIZE;
    if (!cal_inside(row_first, row_last, b->n_row * b->y)) return CAL_BAD_SIZE;
    if (!cal_inside(col_first, col_last, b->n_col * b->x)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = row_first; row < row_last; row++) {
        ptrdiff_t pair = row / (2 * b->y) * 2;
        place y = place_of(row % (2 * b->y), b->y, 2);
        const int16_t *below = b->dq + (pair + y.flag[0]) * b->n_col, *above = b->dq + (pair + y.flag[1]) * b->n_col;

        for (ptrdiff_t col = col_first; col < col_last; col++) {
            place x = place_of(col, b->x, b->n_col);

            if (b->x == 1 && b->y == 1) {
                *sci = b->sci[row * b->n_col + col];
                *err = b->err[row * b->n_col + col];
            } else {
                expand_pixel(b, pair, y, x, sci, err);
            }
            *dq = (int16_t)(below[x.flag[0]] | below[x.flag[1]] | above[x.flag[0]] | above[x.flag[1]]);
            sci++;
            err++;
            dq++;
        }
    }
    return CAL_OK;
}

void cal_shad_divisor(float *sci, float *err, ptrdiff_t n, float rate)
{
    for (ptrdiff_t i = 0; i < n; i++) sci[i] = rate * sci[i] + 1.0F;
    for (ptrdiff_t i = 0; i < n; i++) err[i] *= rate;
}
