/* kernels.c -- run every kernel on made-up images and print a checksum of each result.
 *
 * Compiled for two machines, it tells whether they give the same bits; see .ci/portability.
 * Every instruction set of the CTE kernels must give the bits of the plain ones; arguments restrict which are tried.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calacs.h"

enum { ROWS = 96, COLS = 128, PIXELS = ROWS * COLS };

static int failed = 0;

/* ---- made-up images ---- */

static uint64_t state = UINT64_C(0x9E3779B97F4A7C15);

/* xorshift*: integers, so that all machines see the same numbers. */
static uint32_t draw(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 32);
}

/* Nearly Gaussian, mean 0 and about this width: a sum of uniform numbers, exact in float. */
static float noise(float width)
{
    int32_t sum = 0;

    for (int i = 0; i < 6; i++) sum += (int32_t)(draw() >> 18) - 8192;
    return (float)sum * (1.0F / 8192.0F) * width;
}

static void *memory(size_t size)
{
    void *block = calloc(size, 1);

    if (block == NULL) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    return block;
}

/* Sky, noise, a few bright pixels. */
static float *image_of(ptrdiff_t n, float sky, float width)
{
    float *image = memory((size_t)n * sizeof *image);

    for (ptrdiff_t i = 0; i < n; i++) {
        image[i] = sky + noise(width);
        if (draw() % 97 == 0) image[i] += (float)(draw() % 60000);
    }
    return image;
}

static int16_t *flags_of(ptrdiff_t n)
{
    int16_t *flags = memory((size_t)n * sizeof *flags);

    for (ptrdiff_t i = 0; i < n; i++) flags[i] = draw() % 11 ? 0 : (int16_t)(1 << draw() % 14);
    return flags;
}

static float *copy_of(const float *image, ptrdiff_t n)
{
    float *copy = memory((size_t)n * sizeof *copy);

    memcpy(copy, image, (size_t)n * sizeof *copy);
    return copy;
}

/* ---- checksums: FNV-1a over little-endian bytes; which NaN it is does not count ---- */

static uint64_t sum_byte(uint64_t sum, unsigned byte)
{
    return (sum ^ byte) * UINT64_C(1099511628211);
}

static uint64_t sum_bits(uint64_t sum, uint64_t bits, int n_byte)
{
    for (int i = 0; i < n_byte; i++) sum = sum_byte(sum, (unsigned)(bits >> (8 * i) & 0xFF));
    return sum;
}

static uint64_t sum_floats(uint64_t sum, const float *value, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t bits = 0x7FC00000;

        if (value[i] == value[i]) memcpy(&bits, &value[i], sizeof bits);
        sum = sum_bits(sum, bits, 4);
    }
    return sum;
}

static uint64_t sum_doubles(uint64_t sum, const double *value, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        uint64_t bits = UINT64_C(0x7FF8000000000000);

        if (value[i] == value[i]) memcpy(&bits, &value[i], sizeof bits);
        sum = sum_bits(sum, bits, 8);
    }
    return sum;
}

static uint64_t sum_shorts(uint64_t sum, const int16_t *value, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) sum = sum_bits(sum, (uint16_t)value[i], 2);
    return sum;
}

static uint64_t sum_ints(uint64_t sum, const int32_t *value, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) sum = sum_bits(sum, (uint32_t)value[i], 4);
    return sum;
}

static uint64_t sum_count(uint64_t sum, ptrdiff_t value)
{
    return sum_bits(sum, (uint64_t)(int64_t)value, 8);
}

static const uint64_t start = UINT64_C(14695981039346656037);

static void report(const char *name, uint64_t sum)
{
    printf("%-20s %016llx\n", name, (unsigned long long)sum);
}

static void require(const char *name, int status)
{
    if (status < 0) {
        printf("%-20s status %d: %s\n", name, status, cal_status_text(status));
        failed = 1;
    }
}

/* ---- the kernels ---- */

static void numeric(void)
{
    double value[501], median;
    unsigned char used[501];
    cal_line line = {0.0, 0.0};
    uint64_t sum = start;

    for (int n = 1; n <= 501; n += 50) {
        for (int i = 0; i < n; i++) {
            value[i] = (double)noise(5.0F);
            used[i] = draw() % 9 != 0;
        }
        cal_line_fit(value, used, n, 3.0, 0.5 * n, &line);
        sum = sum_doubles(sum, &line.slope, 1);
        sum = sum_doubles(sum, &line.intercept, 1);
        require("numeric", cal_median(value, n, &median));
        sum = sum_doubles(sum, &median, 1);
    }
    report("numeric", sum);
}

static void blev(void)
{
    float *sci = image_of(PIXELS, 2500.0F, 6.0F);
    int16_t *dq = flags_of(PIXELS);
    const cal_section section[2] = {{0, 23}, {104, 127}}, lines = {76, 95};
    cal_blev_region region = {0, ROWS, 0, COLS, {0.25, 2500.0}, 48.5, 0.001953125, 24.0};
    double row_level[ROWS], column_level[COLS];
    unsigned char row_used[ROWS], column_used[COLS];
    ptrdiff_t n_rejected = 0;
    uint64_t sum = start;

    require("blev", cal_blev_rows(sci, dq, ROWS, COLS, 31, 0, ROWS, section, 2, row_level, row_used));
    require("blev", cal_blev_columns(sci, dq, ROWS, COLS, 31, 0, COLS, lines, column_level, column_used));
    sum = sum_doubles(sum_doubles(sum, row_level, ROWS), column_level, COLS);
    require("blev", cal_blev_clip(row_level, row_used, ROWS, 0.5F, &n_rejected));
    sum = sum_count(sum, n_rejected);
    for (int i = 0; i < ROWS; i++) sum = sum_byte(sum, row_used[i]);
    require("blev", cal_line_fit(row_level, row_used, ROWS, 0.0, region.line_middle, &region.line));
    require("blev", cal_blev_subtract(sci, ROWS, COLS, &region));
    report("blev", sum_floats(sum, sci, PIXELS));
    free(sci);
    free(dq);
}

static void postsm4(void)
{
    enum { N_ROW = CAL_BIASSHIFT_ROWS + 1, N_COL = 600 };
    const ptrdiff_t n = (ptrdiff_t)N_ROW * N_COL;
    float *sci = image_of(n, 2400.0F, 5.0F);
    uint64_t sum = start;

    for (int first = 0; first < 4; first += 2) {
        const int amp[2] = {first, first + 1};
        double level[4];

        require("biasshift", cal_biasshift_correct(sci, N_ROW, N_COL, N_COL / 2, amp, 2, level));
        sum = sum_doubles(sum, level, 4);
    }
    report("biasshift", sum_floats(sum, sci, n));

    sum = start;
    for (int amp = 0; amp < 4; amp++) {
        double column[CAL_BIAS_COLUMNS], level, *row = memory(N_ROW * sizeof *row);
        unsigned char *good = memory(N_ROW);

        require("destripe", cal_destripe_measure(sci, N_ROW, N_COL, amp, column, &level, row, good));
        sum = sum_doubles(sum_doubles(sum_doubles(sum, column, CAL_BIAS_COLUMNS), &level, 1), row, N_ROW);
        for (int i = 0; i < N_ROW; i++) sum = sum_byte(sum, good[i]);
        require("destripe", cal_destripe_subtract(sci, N_ROW, N_COL, amp, column, level, row));
        free(row);
        free(good);
    }
    report("destripe", sum_floats(sum, sci, n));
    require("crosstalk", cal_crosstalk_correct(sci, N_ROW, N_COL));
    report("crosstalk", sum_floats(start, sci, n));
    free(sci);
}

static void flags(void)
{
    float *sci = image_of(PIXELS, 100.0F, 12.0F), *level = image_of(PIXELS, 150.0F, 30.0F), *map = memory(PIXELS * sizeof *map);
    int16_t *dq = flags_of(PIXELS);
    const int32_t run[3][5] = {{3, 5, 20, 1, 4}, {100, 1, 90, 2, 128}, {120, 90, 40, 1, 16}};
    ptrdiff_t n = cal_dqi_flag_above(sci, dq, PIXELS, 30000.0F, 256);
    uint64_t sum;

    require("dqi", cal_dqi_flag_runs(dq, ROWS, COLS, &run[0][0], 3, 2.0, -1.0));
    report("dqi", sum_shorts(sum_count(start, n), dq, PIXELS));
    require("satur", cal_satur_flag(sci, dq, level, ROWS, COLS, 2, ROWS, 3, COLS - 1, 256, &n));
    report("satur", sum_shorts(sum_count(start, n), dq, PIXELS));
    for (ptrdiff_t i = COLS; i < PIXELS - COLS; i++) {
        if (draw() % 50 == 0) {
            map[i] = -70.0F;
            map[i + COLS] = 150.0F;
            map[i - COLS] = -1.0F;
        }
    }
    sum = start;
    for (int upward = 0; upward < 2; upward++) {
        unsigned char trailing[COLS] = {0};
        float sink[COLS] = {0.0F};

        n = cal_sink_flag(sci, dq, map, ROWS, COLS, upward, 1024, trailing, sink);
        sum = sum_floats(sum_shorts(sum_count(sum, n), dq, PIXELS), sink, COLS);
    }
    report("sink", sum);
    require("nonlin", cal_nonlin_flag(sci, dq, ROWS, COLS, 20000.0, 3.5F, 2048, &n));
    report("nonlin", sum_shorts(sum_count(start, n), dq, PIXELS));
    sum = start;
    for (int i = 0; i < 200; i++) {
        /* Pixels are scaled by the ratio in float; the last bit of the double is that of the C library's exp. */
        const float ratio = (float)cal_nonlin_ratio(500.0 * i, 2.9e-6);

        sum = sum_floats(sum, &ratio, 1);
    }
    report("nonlin_ratio", sum);
    free(sci);
    free(level);
    free(map);
    free(dq);
}

static void arithmetic(void)
{
    float *sci = image_of(PIXELS, 300.0F, 17.0F), *err = image_of(PIXELS, 9.0F, 1.0F);
    float *ref = image_of(PIXELS, 1.0F, 0.25F), *ref_err = image_of(PIXELS, 0.125F, 0.0625F);
    int16_t *dq = flags_of(PIXELS), *ref_dq = flags_of(PIXELS);
    const cal_quadrants gain = {40, 60, {2.02F, 1.886F, 2.017F, 2.0109F}}, read = {40, 60, {4.35F, 3.75F, 4.05F, 5.05F}};
    cal_dark_mean dark = {0.0, 0};
    cal_flash_mean flash = {0.0F, 0.0F};
    cal_stat_image stat;
    cal_shad_binned binned = {ref, ref_err, ref_dq, ROWS / 4, COLS / 4, 4, 4};
    uint64_t sum = start;

    memset(&stat, 0, sizeof stat);
    ref[5] = 0.0F;
    require("imarith", cal_imarith_gain(sci, err, ROWS, COLS, &gain));
    sum = sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS);
    require("noise", cal_noise_ccd(sci, err, ROWS, COLS, &read, 0));
    report("noise_ccd", sum_floats(start, err, PIXELS));
    sum = sum_count(sum, cal_noise_is_blank(err, PIXELS));
    cal_imarith_subtract(sci, err, dq, PIXELS, ref, ref_err, ref_dq);
    sum = sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS);
    cal_imarith_subtract_scaled(sci, err, dq, PIXELS, ref, ref_err, ref_dq, 339.1F);
    sum = sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS);
    cal_imarith_multiply(sci, err, dq, PIXELS, ref, ref_err, ref_dq);
    sum = sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS);
    cal_imarith_divide(sci, err, dq, PIXELS, ref, ref_err, ref_dq, 512);
    sum = sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS);
    cal_imarith_scale(sci, err, PIXELS, 0.0123F);
    cal_imarith_square(err, PIXELS);
    cal_imarith_sum(sci, err, dq, PIXELS, ref, ref_err, ref_dq);
    cal_imarith_root(err, PIXELS);
    report("imarith", sum_shorts(sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS), dq, PIXELS));

    cal_dark_subtract(sci, err, dq, PIXELS, ref, ref_err, ref_dq, 1.7F, 31, &dark);
    sum = sum_count(sum_doubles(start, &dark.sum, 1), dark.count);
    report("dark", sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS));
    cal_flash_subtract(sci, err, dq, ROWS, COLS, ref, ref_err, ref_dq, 0.3F, 31, &flash);
    sum = sum_floats(sum_floats(start, &flash.sum, 1), &flash.weight, 1);
    report("flash", sum_floats(sum_floats(sum, sci, PIXELS), err, PIXELS));
    cal_stat_add(sci, err, dq, PIXELS, 31, &stat);
    sum = sum_count(sum_count(start, stat.n_good), stat.n_no_error);
    sum = sum_doubles(sum_doubles(sum, &stat.sci.sum, 1), &stat.snr.sum, 1);
    report("stat", sum_doubles(sum_doubles(sum, &stat.err.min, 1), &stat.snr.max, 1));
    require("spot", cal_spot_shift(ref, ROWS, COLS, 1.37F, -0.81F, 3, ROWS - 2, sci, err));
    report("spot", sum_floats(sum_floats(start, sci, PIXELS), err, PIXELS));
    require("shad", cal_shad_expand(&binned, 0, ROWS, 0, COLS, sci, err, dq));
    cal_shad_divisor(sci, err, PIXELS, 1.0F / 3.0F);
    report("shad", sum_shorts(sum_floats(sum_floats(start, sci, PIXELS), err, PIXELS), dq, PIXELS));
    sum = sum_count(start, cal_noise_counts(sci, err, PIXELS));
    report("noise_counts", sum_floats(sum, err, PIXELS));
    require("imarith", cal_imarith_crop((unsigned char *)sci, ROWS, COLS * 4, 3, ROWS - 1, 16, COLS * 4 - 8));
    report("imarith_crop", sum_floats(start, sci, PIXELS));
    free(sci);
    free(err);
    free(ref);
    free(ref_err);
    free(dq);
    free(ref_dq);
}

static void crrej(void)
{
    enum { N = 4 };
    cal_crrej_image image[N];
    float *sci[N], *err[N], *guess = memory(PIXELS * sizeof *guess), *total = memory(PIXELS * sizeof *total);
    float *time = memory(PIXELS * sizeof *time), *square = memory(PIXELS * sizeof *square);
    int16_t *dq[N], *mask = memory(PIXELS * sizeof *mask), *raw = memory(PIXELS * sizeof *raw);
    int16_t *seen = memory(PIXELS * sizeof *seen), *merged = memory(PIXELS * sizeof *merged);
    int32_t *count = memory(10001 * sizeof *count);
    uint64_t sum = start;

    for (int k = 0; k < N; k++) {
        cal_crrej_range range = {2147483648.0F, 0.0F, 0};
        cal_crrej_bins bins;
        float mode = 0.0F;

        sci[k] = image_of(PIXELS, 55.0F + (float)k, 8.0F);
        err[k] = copy_of(sci[k], PIXELS);
        dq[k] = flags_of(PIXELS);
        for (ptrdiff_t i = 0; i < PIXELS; i++) err[k][i] = sqrtf(fabsf(sci[k][i]) + 20.0F);
        cal_crrej_range_add(sci[k], dq[k], PIXELS, 31, &range);
        require("crrej", cal_crrej_bins_of(&range, &bins));
        memset(count, 0, 10001 * sizeof *count);
        require("crrej", cal_crrej_histogram(sci[k], dq[k], PIXELS, &bins, count));
        require("crrej", cal_crrej_mode(count, &bins, &mode));
        sum = sum_ints(sum_floats(sum, &mode, 1), count, bins.n_bin);
        image[k].sci = sci[k];
        image[k].err = err[k];
        image[k].dq = dq[k];
        image[k].time = 100.0F + 10.0F * (float)k;
        image[k].sky = mode;
    }
    report("crrej_sky", sum);
    require("crrej", cal_crrej_median(image, N, PIXELS, 31, guess));
    report("crrej_median", sum_floats(start, guess, PIXELS));
    require("crrej", cal_crrej_minimum(image, N, PIXELS, 31, guess));
    report("crrej_minimum", sum_floats(start, guess, PIXELS));
    sum = start;
    for (int k = 0; k < N; k++) {
        const cal_crrej_rule rule = {25.0F, 0.03F, 0.25F, 2.25F, 2, 31};

        memcpy(mask, dq[k], PIXELS * sizeof *mask);
        require("crrej", cal_crrej_scan(&image[k], &rule, guess, NULL, ROWS, ROWS, COLS, mask, raw));
        cal_crrej_accumulate(&image[k], mask, 14, PIXELS, total, time, square);
        sum = sum_count(sum, cal_crrej_merge(mask, raw, ROWS, COLS, 8192, seen, merged, NULL));
        sum = sum_shorts(sum, mask, PIXELS);
    }
    report("crrej_scan", sum_shorts(sum, merged, PIXELS));
    cal_crrej_average(total, time, NULL, PIXELS, guess);
    cal_crrej_finish(total, time, square, NULL, PIXELS, 460.0F, 1.0F, sci[0], err[0]);
    sum = sum_floats(sum_floats(sum_floats(start, guess, PIXELS), sci[0], PIXELS), err[0], PIXELS);
    report("crrej", sum);
    for (int k = 0; k < N; k++) {
        free(sci[k]);
        free(err[k]);
        free(dq[k]);
    }
    free(guess);
    free(total);
    free(time);
    free(square);
    free(mask);
    free(raw);
    free(seen);
    free(merged);
    free(count);
}

/* CTE kernels of one instruction set: results of smoothing, restoring, reading out. */
static uint64_t cte(int isa, const char *name)
{
    enum { LEVELS = 40, TAIL = 60, N_COL = 24, N_ROW = 700, LOOPS = 6, N = N_COL * N_ROW };
    double charge[LEVELS], capture[LEVELS], square[LOOPS * N_COL], count[LOOPS * N_COL];
    static float release[LEVELS][TAIL], held[LEVELS][TAIL];
    float *image, *traps = memory(N * sizeof *traps), *smooth = memory(N * sizeof *smooth);
    float *result = memory(N * sizeof *result), *sci, *err;
    int32_t runs[N_COL];
    cal_cte_model model;
    cal_cte_plan *plan;
    uint64_t sum = start;

    state = UINT64_C(0xD1B54A32D192ED03);
    image = image_of(N, 30.0F, 5.0F);
    for (int i = 0; i < N; i++) traps[i] = 0.6F * (float)(i % N_ROW + 1) / 2048.0F * (1.0F + noise(0.001F));
    for (int level = 0; level < LEVELS; level++) {
        float rest = 1.0F;

        charge[level] = level ? charge[level - 1] * 1.375 : 0.75;
        capture[level] = 0.5;
        for (int age = 0; age < TAIL; age++) {
            release[level][age] = rest * 0.0625F;
            rest -= release[level][age];
            held[level][age] = rest;
        }
    }
    model.n_level = LEVELS;
    model.n_tail = TAIL;
    model.charge = charge;
    model.capture = capture;
    model.release = &release[0][0];
    model.held = &held[0][0];
    model.n_transfer = 3;
    model.n_iteration = 4;
    model.read_noise = 4.25;
    model.fix_cosmic_rays = 1;
    model.oversubtraction = -10.0;
    plan = memory((size_t)cal_cte_plan_size(LEVELS, TAIL));
    require(name, cal_cte_plan_make(&model, isa, plan));
    require(name, cal_cte_smooth(image, image, N_COL, N_ROW, 0, N_COL, LOOPS, 4.25, isa, smooth, square, count));
    /* Sums of squares are the one result whose order the instruction sets choose; they decide nothing but when to stop. */
    sum = sum_doubles(sum_floats(sum, smooth, N), count, LOOPS * N_COL);
    require(name, cal_cte_inverse(plan, smooth, traps, N_COL, N_ROW, result, runs));
    sum = sum_ints(sum_floats(sum, result, N), runs, N_COL);
    sci = copy_of(image, N);
    err = copy_of(image, N);
    require(name, cal_cte_combine(result, smooth, N_COL, N_ROW, N_ROW, 1, sci, err));
    sum = sum_floats(sum_floats(sum, sci, N), err, N);
    require(name, cal_cte_forward(plan, result, traps, N_COL, N_ROW, result));
    sum = sum_floats(sum, result, N);
    free(image);
    free(traps);
    free(smooth);
    free(result);
    free(sci);
    free(err);
    free(plan);
    return sum;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int isa;
    } sets[] = {{"scalar", CAL_CTE_SCALAR}, {"baseline", CAL_CTE_BASELINE}, {"avx2", CAL_CTE_AVX2}, {"avx512", CAL_CTE_AVX512}};
    const uint64_t plain = cte(CAL_CTE_SCALAR, "cte");

    report("cte", plain);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        int wanted = argc == 1;

        for (int k = 1; k < argc; k++) wanted |= strcmp(argv[k], sets[i].name) == 0;
        if (cal_cte_isa(sets[i].isa) < 0 || !wanted) continue;
        if (cte(sets[i].isa, sets[i].name) != plain) {
            fprintf(stderr, "CTE kernels %s differ from the plain ones\n", sets[i].name);
            failed = 1;
        } else {
            fprintf(stderr, "CTE kernels %s: same bits as the plain ones\n", sets[i].name);
        }
    }
    state = UINT64_C(0x2545F4914F6CDD1D);
    numeric();
    blev();
    postsm4();
    flags();
    arithmetic();
    crrej();
    return failed;
}
