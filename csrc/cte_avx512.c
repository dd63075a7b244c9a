/* cte_avx512.c -- the CTE kernels with AVX-512 (F, DQ, BW, VL). */
#include "cte_internal.h"

#ifdef CTE_X86

CTE_TARGET_PUSH("avx512f,avx512dq,avx512bw,avx512vl,fma,avx2,bmi,bmi2,lzcnt,popcnt")

#include <immintrin.h>

#define LANES 8
#define NAME(x) x##_avx512
#define ALL UINT64_MAX
#define HIGHEST_BIT(mask) (63 - (ptrdiff_t)_lzcnt_u64(mask))
#define REACHING(p, threshold) (unsigned)_mm512_cmp_pd_mask(p, _mm512_set1_pd(threshold), _CMP_GE_OQ)
#define HIGHEST_OF(now) (31 - (ptrdiff_t)_lzcnt_u32(now))
#define LOWEST_BIT(mask) (ptrdiff_t)_tzcnt_u64(mask)
#define COUNT_BITS(mask) _mm_popcnt_u64(mask)

typedef __m512d vec;
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define SPREAD(x) _mm512_set1_pd(x)
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUB(a, b) _mm512_sub_pd(a, b)
#define MUL(a, b) _mm512_mul_pd(a, b)
#define DIV(a, b) _mm512_div_pd(a, b)
#define MAX(a, b) _mm512_max_pd(a, b)
#define MIN(a, b) _mm512_min_pd(a, b)
#define REACHES(p) (__mmask16)_mm512_cmp_pd_mask(p, _mm512_set1_pd(threshold), _CMP_GE_OQ)
#define PAIR(low, high) _mm512_kunpackb(REACHES(high), REACHES(low))
#define AT_LEAST(threshold)                                                                              \
    (uint64_t) _mm512_kunpackd(_mm512_kunpackw(PAIR(p6, p7), PAIR(p4, p5)), _mm512_kunpackw(PAIR(p2, p3), PAIR(p0, p1)))
#define UNLESS(mask, a, b) _mm512_mask_mov_pd(a, (__mmask8)(mask), b)
#define HIGHEST(v) _mm512_reduce_max_pd(v)
#define LOWEST(v) _mm512_reduce_min_pd(v)

/* Rows of one vector, some of which capture.  r, h: start of the profiles; r_on, h_on: profiles continued from the last
 * capture before the vector, whose trapped charge is *trapped.  Lanes behind a capture within the vector use that. */
static inline vec cte_capture(vec packet, unsigned now, const double *r_on, const double *h_on, vec r, vec h, vec trap,
                              const double *trapped, const cte_lanes *lanes)
{
    const __mmask8 fill = (__mmask8)now, behind = (__mmask8)lanes->behind[now];
    const __m512i lane = _mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)lanes->last[now]));
    const __m512i age = _mm512_sub_epi64(_mm512_set_epi64(6, 5, 4, 3, 2, 1, 0, -1), lane);
    const vec held = _mm512_mask_permutexvar_pd(LOAD(h_on), behind, age, h);
    const vec release = _mm512_mask_permutexvar_pd(LOAD(r_on), behind, age, r);
    const vec charge = _mm512_mask_permutexvar_pd(SPREAD(*trapped), behind, lane, trap);
    const vec add = ADD(MUL(release, charge), _mm512_maskz_mul_pd(fill, held, charge));

    return ADD(packet, _mm512_mask_sub_pd(add, fill, add, trap));
}
#define CAPTURE cte_capture

typedef __m256 fvec;
#define FLOAD(p) _mm256_loadu_ps(p)
#define FSTORE(p, v) _mm256_storeu_ps(p, v)
#define WIDEN(f) _mm512_cvtps_pd(f)
#define NARROW(v) _mm512_cvtpd_ps(v)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define CARRY(before, now) \
    _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(now), _mm512_castpd_si512(before), 7))
#define AHEAD(now, after) \
    _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(after), _mm512_castpd_si512(now), 1))
#define ADD_SQUARE(mask, v, sum) _mm512_mask3_fmadd_pd(v, v, sum, (__mmask8)(mask))
/* The smaller magnitude with the sign of v. */
#define CLIP(v, limit) _mm512_range_pd(v, limit, 2)
#define TOTAL(v) _mm512_reduce_add_pd(v)

#define SAME __mmask8
static inline vec cte_round(vec low, vec high, __mmask8 *same)
{
    const __m512i half = _mm512_set1_epi64(0x10000000), kept = _mm512_set1_epi64(-0x20000000);
    const __m512i a = _mm512_add_epi64(_mm512_castpd_si512(low), half);
    const __m512i b = _mm512_add_epi64(_mm512_castpd_si512(high), half);

    *same = _mm512_testn_epi64_mask(_mm512_xor_si512(a, b), kept);
    return _mm512_castsi512_pd(_mm512_and_si512(a, kept));
}
#define ROUND cte_round

static inline unsigned cte_fine(__mmask8 same, __m256 o, __m256 s)
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    /* NaN if s is. */
    const __m256 most = _mm256_max_ps(_mm256_andnot_ps(sign, o), _mm256_andnot_ps(sign, s));

    return _mm256_mask_cmp_ps_mask(same, most, _mm256_set1_ps(0.1F), _CMP_GE_OQ);
}
#define FINE cte_fine

#include "cte_readout_impl.h"
#include "cte_smooth_impl.h"

const cte_kernels cal_cte_avx512 = {BLOCK, 1, readout_avx512, update_avx512, enter_avx512, least_avx512, smooth_avx512};

CTE_TARGET_POP

#endif
