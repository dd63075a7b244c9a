/* Rejection of cosmic rays in a list of exposures: first guess, search, sums. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { STRIP = 64 };

/* Sky-subtracted count rate, electron/s. */
static inline float rate_of(const cal_crrej_image *image, ptrdiff_t i)
{
    return (image->sci[i] - image->sky) / image->time;
}

/* ---- first guess ---- */

static void lower_of(const cal_crrej_image *image, ptrdiff_t n, int16_t bad_bits, int first, float *CAL_RESTRICT guess)
{
    const float *sci = image->sci, sky = image->sky, time = image->time;
    const int16_t *dq = image->dq;

    for (ptrdiff_t i = 0; i < n; i++) {
        float rate = (sci[i] - sky) / time;
        float kept = (dq[i] & bad_bits) == 0 ? rate : 0.0F;
        int lower = rate < guess[i];

        guess[i] = first | lower ? kept : guess[i];
    }
}

static void lower_of_dark(ptrdiff_t n, int first, float *guess)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (first || guess[i] > 0.0F) guess[i] = 0.0F;
}

int cal_crrej_minimum(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t n, int16_t bad_bits, float *guess)
{
    if (n_image < 1 || n < 0) return CAL_BAD_SIZE;
    for (ptrdiff_t k = 0; k < n_image; k++) {
        if (image[k].time > 0.0F) lower_of(&image[k], n, bad_bits, k == 0, guess);
        else lower_of_dark(n, k == 0, guess);
    }
    return CAL_OK;
}

/* Straight insertion leaves NaN where they are, unlike any other way of sorting. */
static float median_of_list(float *value, ptrdiff_t n)
{
    if (n == 0) return 0.0F;
    for (ptrdiff_t j = 1; j < n; j++) {
        float moving = value[j];
        ptrdiff_t place = j;

        for (; place > 0 && value[place - 1] > moving; place--) value[place] = value[place - 1];
        value[place] = moving;
    }
    return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2.0F;
}

/* Sort STRIP columns of n values at once by odd-even transposition. */
static void sort_strip(float (*value)[STRIP], ptrdiff_t n)
{
    for (ptrdiff_t round = 0; round < n; round++) {
        for (ptrdiff_t k = round % 2; k + 1 < n; k += 2) {
            float *CAL_RESTRICT a = value[k], *CAL_RESTRICT b = value[k + 1];

            for (int i = 0; i < STRIP; i++) {
                float low = a[i] < b[i] ? a[i] : b[i], high = a[i] < b[i] ? b[i] : a[i];

                a[i] = low;
                b[i] = high;
            }
        }
    }
}

/* Median of STRIP columns; columns with bad pixels or NaN go one by one. */
static void median_of_strip(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t first, ptrdiff_t n, int16_t bad_bits,
                            float (*value)[STRIP], float *list, float *guess)
{
    unsigned char odd[STRIP] = {0};
    ptrdiff_t n_used = 0;

    for (ptrdiff_t k = 0; k < n_image; k++) {
        const float *sci = image[k].sci + first, sky = image[k].sky, time = image[k].time;
        const int16_t *dq = image[k].dq + first;
        float *CAL_RESTRICT row = value[n_used];

        if (!(time > 0.0F)) continue;
        for (ptrdiff_t i = 0; i < n; i++) {
            float rate = (sci[i] - sky) / time;

            row[i] = rate;
            odd[i] |= (unsigned char)((dq[i] & bad_bits) != 0 || !(rate == rate));
        }
        n_used++;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t m = 0;

        if (!odd[i]) continue;
        for (ptrdiff_t k = 0; k < n_image; k++)
            if (image[k].time > 0.0F && (image[k].dq[first + i] & bad_bits) == 0) list[m++] = rate_of(&image[k], first + i);
        guess[first + i] = median_of_list(list, m);
    }
    sort_strip(value, n_used);
    for (ptrdiff_t i = 0; i < n; i++) {
        float middle = n_used == 0  ? 0.0F
                       : n_used % 2 ? value[n_used / 2][i]
                                    : (value[n_used / 2 - 1][i] + value[n_used / 2][i]) / 2.0F;

        if (!odd[i]) guess[first + i] = middle;
    }
}

int cal_crrej_median(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t n, int16_t bad_bits, float *guess)
{
    float(*value)[STRIP], *list;

    if (n_image < 1 || n < 0) return CAL_BAD_SIZE;
    value = calloc((size_t)n_image, sizeof *value);
    list = calloc((size_t)n_image, sizeof *list);
    if (value != NULL && list != NULL)
        for (ptrdiff_t first = 0; first < n; first += STRIP)
            median_of_strip(image, n_image, first, n - first < STRIP ? n - first : STRIP, bad_bits, value, list, guess);
    free(list);
    free(value);
    return value != NULL && list != NULL ? CAL_OK : CAL_NO_MEMORY;
}

/* ---- search ---- */

/* One row: 1 where a pixel is too far above or below the guess. */
static void find_hits(const cal_crrej_image *image, const cal_crrej_rule *rule, const float *guess, const float *shade,
                      ptrdiff_t first, ptrdiff_t n, unsigned char *CAL_RESTRICT hit)
{
    const float *sci = image->sci + first, *err = image->err + first;
    const float sky = image->sky, time = image->time, time2 = time * time;
    const float sigma2 = rule->sigma2, scale = rule->scale, per_second = 1.0F / time;

    guess += first;
    if (shade != NULL) {
        shade += first;
        for (ptrdiff_t i = 0; i < n; i++) {
            float off = (sci[i] - sky) / time - guess[i], g = err[i] * err[i];
            float signal = guess[i] * time / (1.0F + shade[i] * per_second);
            float noise = scale * (signal > 0.0F ? signal : 0.0F);

            hit[i] = off * off > sigma2 * (g + noise * noise) / time2;
        }
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        float off = (sci[i] - sky) / time - guess[i], g = err[i] * err[i];
        float signal = guess[i] * time;
        float noise = scale * (signal > 0.0F ? signal : 0.0F);

        hit[i] = off * off > sigma2 * (g + noise * noise) / time2;
    }
}

/* Does a neighbor of a hit belong to the cosmic ray?  NaN does. */
static int spills(const cal_crrej_image *image, const cal_crrej_rule *rule, const float *guess, ptrdiff_t i)
{
    float off = rate_of(image, i) - guess[i], g = image->err[i] * image->err[i];

    return !(off * off <= rule->spread2 * (rule->sigma2 * g / (image->time * image->time)));
}

static void exclude(int16_t *mask, ptrdiff_t n, int16_t bad_bits)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        int16_t old = mask[i];

        mask[i] = (old & bad_bits) != 0 && old != CAL_CRREJ_SPILL ? CAL_CRREJ_EXCLUDE : old;
    }
}

/* Mark the pixels around (row, col) that belong to the cosmic ray. */
static void spread(const cal_crrej_image *image, const cal_crrej_rule *rule, const float *guess, ptrdiff_t n_row,
                   ptrdiff_t n_col, ptrdiff_t row, ptrdiff_t col, const ptrdiff_t *reach, int16_t *mask)
{
    for (ptrdiff_t up = 0; up <= rule->width && row + up < n_row; up++) {
        ptrdiff_t from = col - reach[up] > 0 ? col - reach[up] : 0;
        ptrdiff_t to = col + reach[up] < n_col - 1 ? col + reach[up] : n_col - 1;

        for (ptrdiff_t x = from; x <= to; x++) {
            ptrdiff_t i = (row + up) * n_col + x;

            if (mask[i] != CAL_CRREJ_HIT && spills(image, rule, guess, i)) mask[i] = CAL_CRREJ_SPILL;
        }
    }
}

int cal_crrej_scan(const cal_crrej_image *image, const cal_crrej_rule *rule, const float *guess, const float *shade,
                   ptrdiff_t n_row, ptrdiff_t n_scan, ptrdiff_t n_col, int16_t *mask, int16_t *raw)
{
    ptrdiff_t n_padded = (n_col + 7) / 8 * 8, *reach;
    unsigned char *hit;

    if (!cal_inside(0, n_scan, n_row) || n_col < 0 || rule->width < 0) return CAL_BAD_SIZE;
    reach = malloc((size_t)(rule->width + 1) * sizeof *reach);
    hit = calloc((size_t)n_padded + 1, 1);
    if (reach == NULL || hit == NULL) {
        free(reach);
        free(hit);
        return CAL_NO_MEMORY;
    }
    for (ptrdiff_t up = 0; up <= rule->width; up++) {
        reach[up] = rule->width;
        while (reach[up] >= 0 && (float)(reach[up] * reach[up] + up * up) > rule->radius2) reach[up]--;
    }
    for (ptrdiff_t row = 0; row < n_scan; row++) {
        int16_t *line = mask + row * n_col;

        if (raw != NULL) memcpy(raw + row * n_col, line, (size_t)n_col * sizeof *line);
        exclude(line, n_col, rule->bad_bits);
        find_hits(image, rule, guess, shade, row * n_col, n_col, hit);
        for (ptrdiff_t start = 0; start < n_padded; start += 8) {
            uint64_t any;

            memcpy(&any, hit + start, sizeof any);
            if (any == 0) continue;
            for (ptrdiff_t col = start; col < start + 8; col++) {
                if (!hit[col] || line[col] == CAL_CRREJ_EXCLUDE) continue;
                line[col] = CAL_CRREJ_HIT;
                if (rule->width > 0) spread(image, rule, guess, n_row, n_col, row, col, reach, mask);
            }
        }
    }
    free(reach);
    free(hit);
    return CAL_OK;
}

/* ---- sums ---- */

void cal_crrej_accumulate(const cal_crrej_image *image, const int16_t *mask, int16_t left_out, ptrdiff_t n,
                          float *CAL_RESTRICT sum, float *CAL_RESTRICT time, float *CAL_RESTRICT square)
{
    const float *sci = image->sci, *err = image->err, sky = image->sky, exposure = image->time;

    for (ptrdiff_t i = 0; i < n; i++) {
        int used = (mask[i] & left_out) == 0;
        /* The quotient of the search times the exposure time: not quite sci - sky. */
        float new_sum = sum[i] + (sci[i] - sky) / exposure * exposure, new_time = time[i] + exposure;

        sum[i] = used ? new_sum : sum[i];
        time[i] = used ? new_time : time[i];
    }
    if (square == NULL) return;
    for (ptrdiff_t i = 0; i < n; i++) {
        float new_square = square[i] + err[i] * err[i];

        square[i] = (mask[i] & left_out) == 0 ? new_square : square[i];
    }
}

static unsigned char pack(const int16_t *mask, ptrdiff_t n)
{
    unsigned bits = 0;

    for (ptrdiff_t i = 0; i < n; i++)
        if (mask[i] == CAL_CRREJ_HIT || mask[i] == CAL_CRREJ_SPILL) bits |= 0x80U >> i;
    return (unsigned char)bits;
}

ptrdiff_t cal_crrej_merge(const int16_t *mask, const int16_t *raw, ptrdiff_t n_row, ptrdiff_t n_col, int16_t flag,
                          int16_t *CAL_RESTRICT seen, int16_t *CAL_RESTRICT dq, unsigned char *hit)
{
    ptrdiff_t n_rejected = 0, n_byte = (n_col + 7) / 8;
    /* PARITY: bit 2 of the input is lost, because it is the code of a neighbor. */
    const int16_t own = (int16_t) ~(flag | CAL_CRREJ_SPILL);

    for (ptrdiff_t row = 0; row < n_row; row++) {
        ptrdiff_t first = row * n_col;
        int in_row = 0;

        for (ptrdiff_t i = first; i < first + n_col; i++) {
            int16_t rejected = (int16_t) - (mask[i] == CAL_CRREJ_HIT || mask[i] == CAL_CRREJ_SPILL);
            int16_t flags = (int16_t)((raw[i] | seen[i]) & own);
            int16_t merged = (int16_t)(flags | dq[i]);

            seen[i] = (int16_t)(flags | (rejected & flag));
            dq[i] = (int16_t)(merged & (rejected | ~flag));
            in_row -= rejected;
        }
        n_rejected += in_row;
        if (hit == NULL) continue;
        for (ptrdiff_t byte = 0; byte < n_byte; byte++) {
            ptrdiff_t left = n_col - 8 * byte;

            hit[row * n_byte + byte] = in_row ? pack(mask + first + 8 * byte, left < 8 ? left : 8) : 0;
        }
    }
    return n_rejected;
}

void cal_crrej_average(const float *sum, const float *time, const float *shade, ptrdiff_t n, float *CAL_RESTRICT guess)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float rate = sum[i] / time[i];

        guess[i] = time[i] > 0.0F ? rate : guess[i];
    }
    if (shade == NULL) return;
    for (ptrdiff_t i = 0; i < n; i++) {
        float rate = guess[i] / (1.0F + shade[i] / time[i]);

        guess[i] = time[i] > 0.0F ? rate : guess[i];
    }
}

void cal_crrej_finish(const float *sum, const float *time, const float *square, const float *shade, ptrdiff_t n,
                      float total, float sky, float *CAL_RESTRICT sci, float *CAL_RESTRICT err)
{
    for (ptrdiff_t i = 0; i < n; i++) sci[i] = 0.0F;
    cal_crrej_average(sum, time, shade, n, sci);
    for (ptrdiff_t i = 0; i < n; i++) sci[i] = sci[i] * total + sky;
    for (ptrdiff_t i = 0; i < n; i++) {
        float sigma = (float)((double)(total / time[i]) * sqrt((double)square[i]));

        err[i] = time[i] > 0.0F ? sigma : 0.0F;
    }
}
