/* cte_avx2.c -- the CTE kernels with AVX2 and FMA. */
#include "cte_internal.h"

#ifdef CTE_X86

CTE_TARGET_PUSH("avx2,fma,bmi,bmi2,lzcnt,popcnt")

#include <immintrin.h>

#define LANES 4
#define NAME(x) x##_avx2
#define ALL UINT64_C(0xFFFFFFFF)
#define HIGHEST_BIT(mask) (63 - (ptrdiff_t)_lzcnt_u64(mask))
#define REACHING(p, threshold) (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(p, _mm256_set1_pd(threshold), _CMP_GE_OQ))
#define HIGHEST_OF(now) (31 - (ptrdiff_t)_lzcnt_u32(now))
#define LOWEST_BIT(mask) (ptrdiff_t)_tzcnt_u64(mask)
#define COUNT_BITS(mask) _mm_popcnt_u64(mask)

typedef __m256d vec;
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define SPREAD(x) _mm256_set1_pd(x)
#define ADD(a, b) _mm256_add_pd(a, b)
#define SUB(a, b) _mm256_sub_pd(a, b)
#define MUL(a, b) _mm256_mul_pd(a, b)
#define DIV(a, b) _mm256_div_pd(a, b)
#define MAX(a, b) _mm256_max_pd(a, b)
#define MIN(a, b) _mm256_min_pd(a, b)
#define REACHES(p, g) \
    ((uint64_t)(unsigned)_mm256_movemask_pd(_mm256_cmp_pd(p, _mm256_set1_pd(threshold), _CMP_GE_OQ)) << (4 * (g)))
#define AT_LEAST(threshold)                                                                                  \
    (((REACHES(p0, 0) | REACHES(p1, 1)) | (REACHES(p2, 2) | REACHES(p3, 3))) |                                 \
     ((REACHES(p4, 4) | REACHES(p5, 5)) | (REACHES(p6, 6) | REACHES(p7, 7))))

static inline double cte_highest(__m256d v)
{
    const __m128d half = _mm_max_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));

    return _mm_cvtsd_f64(_mm_max_sd(half, _mm_unpackhi_pd(half, half)));
}
#define HIGHEST(v) cte_highest(v)

static inline double cte_lowest(__m256d v)
{
    const __m128d half = _mm_min_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));

    return _mm_cvtsd_f64(_mm_min_sd(half, _mm_unpackhi_pd(half, half)));
}
#define LOWEST(v) cte_lowest(v)

static inline double cte_total(__m256d v)
{
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));

    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}
#define TOTAL(v) cte_total(v)

/* By mask of capturing lanes and lane: all ones where the lane captures; where a lane before it does; and which halves of
 * a vector hold the last such lane, and the profile element that many rows on. */
#define M (-1)
static const int64_t cte_fill[16][4] = {
    {0, 0, 0, 0}, {M, 0, 0, 0}, {0, M, 0, 0}, {M, M, 0, 0}, {0, 0, M, 0}, {M, 0, M, 0}, {0, M, M, 0}, {M, M, M, 0},
    {0, 0, 0, M}, {M, 0, 0, M}, {0, M, 0, M}, {M, M, 0, M}, {0, 0, M, M}, {M, 0, M, M}, {0, M, M, M}, {M, M, M, M}};
static const int64_t cte_behind[16][4] = {
    {0, 0, 0, 0}, {0, M, M, M}, {0, 0, M, M}, {0, M, M, M}, {0, 0, 0, M}, {0, M, M, M}, {0, 0, M, M}, {0, M, M, M},
    {0, 0, 0, 0}, {0, M, M, M}, {0, 0, M, M}, {0, M, M, M}, {0, 0, 0, M}, {0, M, M, M}, {0, 0, M, M}, {0, M, M, M}};
#undef M
#define L(a, b, c, d) {2 * (a), 2 * (a) + 1, 2 * (b), 2 * (b) + 1, 2 * (c), 2 * (c) + 1, 2 * (d), 2 * (d) + 1}
static const int32_t cte_lane[16][8] = {
    L(0, 0, 0, 0), L(0, 0, 0, 0), L(0, 0, 1, 1), L(0, 0, 1, 1), L(0, 0, 0, 2), L(0, 0, 0, 2), L(0, 0, 1, 2), L(0, 0, 1, 2),
    L(0, 0, 0, 0), L(0, 0, 0, 0), L(0, 0, 1, 1), L(0, 0, 1, 1), L(0, 0, 0, 2), L(0, 0, 0, 2), L(0, 0, 1, 2), L(0, 0, 1, 2)};
static const int32_t cte_age[16][8] = {
    L(0, 0, 0, 0), L(0, 0, 1, 2), L(0, 0, 0, 1), L(0, 0, 0, 1), L(0, 0, 0, 0), L(0, 0, 1, 0), L(0, 0, 0, 0), L(0, 0, 0, 0),
    L(0, 0, 0, 0), L(0, 0, 1, 2), L(0, 0, 0, 1), L(0, 0, 0, 1), L(0, 0, 0, 0), L(0, 0, 1, 0), L(0, 0, 0, 0), L(0, 0, 0, 0)};
#undef L


#define UNLESS(mask, a, b) _mm256_blendv_pd(a, b, _mm256_loadu_pd((const double *)(const void *)cte_fill[mask]))
#define PICK(v, index) _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(v), index))

/* As in cte_avx512.c. */
static inline vec cte_capture(vec packet, unsigned now, const double *r_on, const double *h_on, vec r, vec h, vec trap,
                              const double *trapped)
{
    const __m256i lane = _mm256_loadu_si256((const __m256i *)(const void *)cte_lane[now]);
    const __m256i age = _mm256_loadu_si256((const __m256i *)(const void *)cte_age[now]);
    const vec fill = _mm256_loadu_pd((const double *)(const void *)cte_fill[now]);
    const vec behind = _mm256_loadu_pd((const double *)(const void *)cte_behind[now]);
    const vec held = _mm256_blendv_pd(LOAD(h_on), PICK(h, age), behind);
    const vec release = _mm256_blendv_pd(LOAD(r_on), PICK(r, age), behind);
    const vec charge = _mm256_blendv_pd(SPREAD(*trapped), PICK(trap, lane), behind);
    const vec add = ADD(MUL(release, charge), _mm256_and_pd(fill, MUL(held, charge)));

    return ADD(packet, SUB(add, _mm256_and_pd(fill, trap)));
}
#define CAPTURE(p, now, r_on, h_on, r, h, trap, trapped, lanes) cte_capture(p, now, r_on, h_on, r, h, trap, trapped)

typedef __m128 fvec;
#define FLOAD(p) _mm_loadu_ps(p)
#define FSTORE(p, v) _mm_storeu_ps(p, v)
#define WIDEN(f) _mm256_cvtps_pd(f)
#define NARROW(v) _mm256_cvtpd_ps(v)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define CARRY(before, now) _mm256_shuffle_pd(_mm256_permute2f128_pd(before, now, 0x21), now, 0x5)
#define AHEAD(now, after) _mm256_shuffle_pd(now, _mm256_permute2f128_pd(now, after, 0x21), 0x5)
#define CLIP(v, limit) MAX(MIN(v, limit), SUB(SPREAD(0.0), limit))

#define SAME __m256i
static inline vec cte_round(vec low, vec high, __m256i *same)
{
    const __m256i half = _mm256_set1_epi64x(0x10000000), kept = _mm256_set1_epi64x(-0x20000000);
    const __m256i a = _mm256_and_si256(_mm256_add_epi64(_mm256_castpd_si256(low), half), kept);
    const __m256i b = _mm256_and_si256(_mm256_add_epi64(_mm256_castpd_si256(high), half), kept);

    *same = _mm256_cmpeq_epi64(a, b);
    return _mm256_castsi256_pd(a);
}
#define ROUND cte_round

static inline unsigned cte_fine(__m256i same, __m128 o, __m128 s)
{
    const __m128 sign = _mm_set1_ps(-0.0F);
    /* NaN if s is. */
    const __m128 most = _mm_max_ps(_mm_andnot_ps(sign, o), _mm_andnot_ps(sign, s));

    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(same)) &
           (unsigned)_mm_movemask_ps(_mm_cmpge_ps(most, _mm_set1_ps(0.1F)));
}
#define FINE cte_fine

static inline vec cte_add_square(unsigned mask, vec v, vec sum)
{
    const vec kept = _mm256_and_pd(v, _mm256_loadu_pd((const double *)(const void *)cte_fill[mask]));

    return FMA(kept, kept, sum);
}
#define ADD_SQUARE cte_add_square

#include "cte_readout_impl.h"
#include "cte_smooth_impl.h"

const cte_kernels cal_cte_avx2 = {BLOCK, 1, readout_avx2, update_avx2, enter_avx2, least_avx2, smooth_avx2};

CTE_TARGET_POP

#endif
