/* The same rules in C, as fast as we could write them: what the compiled kernels are held against.
 *
 *     cc -O3 -march=native -shared -fPIC -o reference.so reference.c -lm
 *
 * `relax_plain` is what one writes first: two passes over the active sites and a scan of the field. `relax` keeps a bitmap of
 * the sites above the threshold, from a look at all of them while many topple, and the rows of the active sites, which are
 * prefetched. Sites are listed strip by strip, and then lowered; on up to `few_sites` as they are found. In fields of
 * `bins_from` sites or more, shares are first sorted into blocks of sites that fit into the cache.
 * `train` is one run of the XOR study with a probe every so many epochs. Orders of addition are those of the kernels, so that
 * avalanches have the same bits; compilers may contract multiplications and additions in `train`, whose curves then agree to
 * rounding. Graphs have fewer than 2^32 ends of edges.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum { AHEAD = 16, STRIP = 2048, BLOCK_BITS = 15, BLOCK = 1 << BLOCK_BITS };

/* Fields of so many sites are relaxed in blocks, and of so few with branches; the caller says, by what it has measured. */
int64_t bins_from = INT64_MAX, few_sites = 512;

typedef struct {
    int64_t size, duration, extent, peak;
    double dissipated;
    int64_t capped;
} avalanche;

typedef struct {
    uint32_t begin, degree;
    double share;
} row;

typedef struct __attribute__((packed)) {
    double share;
    uint32_t site;
} gift;

typedef struct {
    row *rows;
    uint64_t *marks, *toppled;
    gift *gifts, **next;
} work;

/* Memory in large pages, where it is much and the system has them. */
static void *room(int64_t bytes) {
    char *memory = malloc(bytes);
#ifdef MADV_HUGEPAGE
    if (bytes >= 1 << 22) {
        char *first = (char *)(((uintptr_t)memory + 4095) & ~(uintptr_t)4095);
        madvise(first, memory + bytes - first, MADV_HUGEPAGE);
    }
#endif
    return memory;
}

static int64_t n_blocks(int64_t n) { return (n + BLOCK - 1) >> BLOCK_BITS; }

static work workspace(const uint32_t *begins, int64_t n) {
    int64_t words = (n + 63) / 64;
    work w = {room((n + AHEAD) * sizeof *w.rows), room(words * 8), room(words * 8), NULL, NULL};
    if (n >= bins_from) {
        w.gifts = room((begins[n] + AHEAD) * sizeof *w.gifts);
        w.next = malloc(n_blocks(n) * sizeof *w.next);
    }
    return w;
}

static void release(work w) {
    free(w.rows);
    free(w.marks);
    free(w.toppled);
    free(w.gifts);
    free(w.next);
}

/* The first thing to write. */
avalanche relax_plain(double *field, const uint32_t *begins, const uint32_t *indices, int64_t n, double alpha, double threshold,
                      int64_t max_steps) {
    avalanche found = {0};
    int64_t *active = malloc(n * sizeof *active), count = 0;
    double *share = malloc(n * sizeof *share);
    uint8_t *toppled = calloc(n, 1);
    for (int64_t i = 0; i < n; i++)
        if (fabs(field[i]) > threshold) active[count++] = i;
    while (count > 0 && found.duration < max_steps) {
        for (int64_t a = 0; a < count; a++) {
            int64_t i = active[a], degree = begins[i + 1] - begins[i];
            double given = alpha * field[i];
            field[i] -= given;
            found.extent += !toppled[i];
            toppled[i] = 1;
            if (degree) share[a] = given / degree;
            else found.dissipated += given;
        }
        for (int64_t a = 0; a < count; a++)
            for (int64_t e = begins[active[a]]; e < begins[active[a] + 1]; e++) field[indices[e]] += share[a];
        found.size += count;
        found.duration++;
        if (count > found.peak) found.peak = count;
        count = 0;
        for (int64_t i = 0; i < n; i++)
            if (fabs(field[i]) > threshold) active[count++] = i;
    }
    found.capped = count > 0;
    free(active);
    free(share);
    free(toppled);
    return found;
}

typedef struct {
    int64_t active, ends;
    double dissipated;
} found;

/* Lower site `i`, write down its row; whether it is still above the threshold. */
static inline uint64_t lower(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold, int64_t i,
                             row *restrict r, found *f) {
    double given = alpha * field[i], value = field[i] - given;
    uint32_t degree = begins[i + 1] - begins[i];
    field[i] = value;
    *r = (row){begins[i], degree, given / (degree ? degree : 1)};
    f->active++;
    f->ends += degree;
    if (!degree) f->dissipated += given;
    return fabs(value) > threshold;
}

/* A bit for each of `number` entries, up to 64, whose magnitude is above the threshold, or reaches it. */
static inline uint64_t bits_above(const double *restrict x, int64_t number, double threshold) {
    uint64_t word = 0;
    if (number == 64)
        for (int64_t bit = 0; bit < 64; bit++) word |= (uint64_t)(fabs(x[bit]) > threshold) << bit;
    else
        for (int64_t bit = 0; bit < number; bit++) word |= (uint64_t)(fabs(x[bit]) > threshold) << bit;
    return word;
}

static inline uint64_t bits_reaching(const double *restrict x, int64_t number, double threshold) {
    uint64_t word = 0;
    if (number == 64)
        for (int64_t bit = 0; bit < 64; bit++) word |= (uint64_t)(fabs(x[bit]) >= threshold) << bit;
    else
        for (int64_t bit = 0; bit < number; bit++) word |= (uint64_t)(fabs(x[bit]) >= threshold) << bit;
    return word;
}

/* List the numbers of the bits that are set in `word`, from `first` on; more than these are written, up to 16 of them. */
static inline int64_t list_bits(uint64_t word, uint32_t first, uint32_t *restrict list) {
    int64_t number = __builtin_popcountll(word);
#ifdef __AVX512F__
    __m512i place = _mm512_add_epi32(_mm512_set1_epi32(first),
                                     _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    for (; word; word >>= 16, place = _mm512_add_epi32(place, _mm512_set1_epi32(16))) {
        _mm512_storeu_si512(list, _mm512_maskz_compress_epi32(word, place));
        list += __builtin_popcount(word & 0xffff);
    }
#else
    for (int64_t k = 0; k < number; k += 8)
        for (int j = 0; j < 8; j++, word &= word - 1) list[k + j] = first + (word ? __builtin_ctzll(word) : 0);
#endif
    return number;
}

static inline void lower_listed(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold,
                                const uint32_t *restrict list, int64_t number, work w, found *f) {
    row *rows = w.rows;
    found here = *f;
    for (int64_t a = 0; a < number; a++) {
        uint32_t i = list[a];
        uint64_t above = lower(field, begins, alpha, threshold, i, rows + here.active, &here);
        w.marks[i >> 6] |= above << (i & 63);
    }
    *f = here;
}

/* Lower the sites of [low, high) that are above the threshold, from a look at all of them or at those that are marked: listed
 * first, a strip at a time. */
static void list_all(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold, int64_t low,
                     int64_t high, work w, found *f) {
    uint32_t list[STRIP + 16];
    for (int64_t strip = low; strip < high; strip += STRIP) {
        int64_t number = 0, end = high - strip < STRIP ? high : strip + STRIP;
        for (int64_t first = strip; first < end; first += 64) {
            uint64_t word = bits_above(field + first, end - first < 64 ? end - first : 64, threshold);
            w.toppled[first / 64] |= word;
            w.marks[first / 64] = 0;
            number += list_bits(word, first, list + number);
        }
        lower_listed(field, begins, alpha, threshold, list, number, w, f);
    }
}

static void list_marked(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold, int64_t low,
                        int64_t high, work w, found *f) {
    uint32_t list[STRIP + 16];
    for (int64_t strip = low; strip < high; strip += STRIP) {
        int64_t number = 0, end = high - strip < STRIP ? high : strip + STRIP;
        for (int64_t k = strip / 64; k < (end + 63) / 64; k++) {
            uint64_t word = w.marks[k], active = 0;
            if (!word) continue;
            w.marks[k] = 0;
            for (; word; word &= word - 1) {
                int bit = __builtin_ctzll(word);
                uint64_t above = fabs(field[64 * k + bit]) > threshold;
                active |= above << bit;
                list[number] = 64 * k + bit;
                number += above;
            }
            w.toppled[k] |= active;
        }
        lower_listed(field, begins, alpha, threshold, list, number, w, f);
    }
}

/* The same on few sites, each lowered as it is found. */
static void lower_all(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold, int64_t low,
                      int64_t high, work w, found *f) {
    row *rows = w.rows;
    found here = *f;
    for (int64_t k = low / 64; k < (high + 63) / 64; k++) {
        uint64_t word = bits_above(field + 64 * k, high - 64 * k < 64 ? high - 64 * k : 64, threshold), still = 0;
        w.toppled[k] |= word;
        for (; word; word &= word - 1) {
            int bit = __builtin_ctzll(word);
            still |= lower(field, begins, alpha, threshold, 64 * k + bit, rows + here.active, &here) << bit;
        }
        w.marks[k] = still;
    }
    *f = here;
}

static void lower_marked(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold, int64_t low,
                         int64_t high, work w, found *f) {
    row *rows = w.rows;
    found here = *f;
    for (int64_t k = low / 64; k < (high + 63) / 64; k++) {
        uint64_t word = w.marks[k], active = 0, still = 0;
        if (!word) continue;
        for (; word; word &= word - 1) {
            int bit = __builtin_ctzll(word);
            if (!(fabs(field[64 * k + bit]) > threshold)) continue;
            active |= 1ull << bit;
            still |= lower(field, begins, alpha, threshold, 64 * k + bit, rows + here.active, &here) << bit;
        }
        w.toppled[k] |= active;
        w.marks[k] = still;
    }
    *f = here;
}

static inline void add_marking(double *restrict field, double threshold, uint32_t j, double share, uint64_t *restrict marks) {
    double value = field[j] + share;
    field[j] = value;
    marks[j >> 6] |= (uint64_t)(fabs(value) > threshold) << (j & 63);
}

/* The shares of a step go to the neighbours: all then looked at; marked; or marked by a branch, where nothing is far away. */
static void push(double *restrict field, const uint32_t *restrict indices, const row *restrict rows, int64_t count) {
    for (int64_t a = 0; a < count; a++) {
        row r = rows[a];
        __builtin_prefetch(indices + rows[a + AHEAD].begin);
        for (const uint32_t *j = indices + r.begin, *end = j + r.degree; j < end; j++) field[*j] += r.share;
    }
}

static void push_marking(double *restrict field, const uint32_t *restrict indices, double threshold, const row *restrict rows,
                         int64_t count, uint64_t *restrict marks) {
    for (int64_t a = 0; a < count; a++) {
        row r = rows[a];
        __builtin_prefetch(indices + rows[a + AHEAD].begin);
        for (const uint32_t *j = indices + r.begin, *end = j + r.degree; j < end; j++)
            add_marking(field, threshold, *j, r.share, marks);
    }
}

static void push_near(double *restrict field, const uint32_t *restrict indices, double threshold, const row *restrict rows,
                      int64_t count, uint64_t *restrict marks) {
    for (int64_t a = 0; a < count; a++) {
        row r = rows[a];
        for (const uint32_t *j = indices + r.begin, *end = j + r.degree; j < end; j++) {
            double value = field[*j] + r.share;
            field[*j] = value;
            if (fabs(value) > threshold) marks[*j >> 6] |= 1ull << (*j & 63);
        }
    }
}

static void sort_gifts(const uint32_t *restrict begins, const uint32_t *restrict indices, int64_t n, work w, int64_t count) {
    const row *restrict rows = w.rows;
    gift **restrict next = w.next;
    for (int64_t b = 0; b < n_blocks(n); b++) next[b] = w.gifts + begins[b << BLOCK_BITS];
    for (int64_t a = 0; a < count; a++) {
        row r = rows[a];
        __builtin_prefetch(indices + rows[a + AHEAD].begin);
        for (const uint32_t *j = indices + r.begin, *end = j + r.degree; j < end; j++) {
            gift *g = next[*j >> BLOCK_BITS]++;
            __builtin_prefetch(g + AHEAD, 1);
            *g = (gift){r.share, *j};
        }
    }
}

/* Block by block, the gifts of a step are taken, and the sites lowered that are active in the next. */
static void sweep(double *restrict field, const uint32_t *restrict begins, double alpha, double threshold, int64_t n, int marking,
                  int last, work w, found *f) {
    for (int64_t b = 0; b < n_blocks(n); b++) {
        int64_t low = b << BLOCK_BITS, high = n - low < BLOCK ? n : low + BLOCK;
        const gift *g = w.gifts + begins[low], *end = w.next[b];
        if (marking)
            for (; g < end; g++) add_marking(field, threshold, g->site, g->share, w.marks);
        else {
            double read = 0; /* the block comes into the cache from end to end */
            for (int64_t i = low; i < high; i += 8) read += field[i];
            *(volatile double *)&read;
            for (; g < end; g++) field[g->site] += g->share;
        }
        if (last) continue;
        if (marking) list_marked(field, begins, alpha, threshold, low, high, w, f);
        else list_all(field, begins, alpha, threshold, low, high, w, f);
    }
}

static avalanche relax_in(double *restrict field, const uint32_t *restrict begins, const uint32_t *restrict indices, int64_t n,
                          double alpha, double threshold, int64_t max_steps, work w) {
    avalanche result = {0};
    found f = {0};
    memset(w.toppled, 0, (n + 63) / 64 * 8);
    int few = n <= few_sites;
    if (max_steps > 0) (few ? lower_all : list_all)(field, begins, alpha, threshold, 0, n, w, &f);
    while (f.active > 0) {
        int64_t count = f.active;
        int look = !few && 8 * f.ends > n, last = ++result.duration == max_steps;
        result.size += count;
        if (count > result.peak) result.peak = count;
        f.active = f.ends = 0;
        for (int k = 0; k < AHEAD; k++) w.rows[count + k].begin = 0; /* prefetched, but no rows */
        if (n >= bins_from) {
            sort_gifts(begins, indices, n, w, count);
            sweep(field, begins, alpha, threshold, n, !look && !last, last, w, &f);
            continue;
        }
        if (look) push(field, indices, w.rows, count);
        else if (few) push_near(field, indices, threshold, w.rows, count, w.marks);
        else push_marking(field, indices, threshold, w.rows, count, w.marks);
        if (last) break;
        if (look) list_all(field, begins, alpha, threshold, 0, n, w, &f);
        else (few ? lower_marked : list_marked)(field, begins, alpha, threshold, 0, n, w, &f);
    }
    result.dissipated = f.dissipated;
    if (result.duration == max_steps)
        for (int64_t i = 0; i < n && !result.capped; i++) result.capped = fabs(field[i]) > threshold;
    for (int64_t k = 0; k < (n + 63) / 64; k++) result.extent += __builtin_popcountll(w.toppled[k]);
    return result;
}

avalanche relax(double *field, const uint32_t *begins, const uint32_t *indices, int64_t n, double alpha, double threshold,
                int64_t max_steps) {
    work w = workspace(begins, n);
    avalanche result = relax_in(field, begins, indices, n, alpha, threshold, max_steps, w);
    release(w);
    return result;
}

static double select_rank(double *values, int64_t n, int64_t rank) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        double pivot = values[(low + high) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot) i++;
            while (values[j] > pivot) j--;
            if (i <= j) {
                double value = values[i];
                values[i++] = values[j];
                values[j--] = value;
            }
        }
        if (rank <= j) high = j;
        else if (rank >= i) low = i;
        else break;
    }
    return values[rank];
}

/* The magnitudes within [low, high], in front of `scratch`; how many lie below, and within. */
static void gather(const double *restrict field, int64_t n, double low, double high, double *restrict scratch, int64_t *below,
                   int64_t *within) {
    int64_t less = 0, inside = 0;
    for (int64_t first = 0; first < n; first += 64) { /* 64 at once, and then the few among them that count */
        int64_t number = n - first < 64 ? n - first : 64;
        uint64_t word = bits_reaching(field + first, number, low);
        less += number - __builtin_popcountll(word);
        word &= ~bits_above(field + first, number, high);
        if (number < 64) {
            for (; word; word &= word - 1) scratch[inside++] = fabs(field[first + __builtin_ctzll(word)]);
            break;
        }
#ifdef __AVX512F__
        for (const double *x = field + first; word; word >>= 8, x += 8) {
            _mm512_storeu_pd(scratch + inside, _mm512_maskz_compress_pd(word, _mm512_abs_pd(_mm512_loadu_pd(x))));
            inside += __builtin_popcount(word & 0xff);
        }
#else
        int64_t end = inside + __builtin_popcountll(word);
        for (; inside < end; inside += 8) /* more than these, which the next overwrite */
            for (int j = 0; j < 8; j++, word &= word - 1)
                scratch[inside + j] = fabs(field[first + (word ? __builtin_ctzll(word) : 0)]);
        inside = end;
#endif
    }
    *below = less;
    *within = inside;
}

/* np.quantile(np.abs(field), level); `guess` is a value near by, or 0. */
static double quantile(const double *restrict field, int64_t n, double level, double guess, double *restrict scratch) {
    double position = (n - 1) * level;
    int64_t rank = position, below = 0, within = 0;
    double width = 0.1 * (1 + 128.0 / n), low = (1 - width) * guess, high = (1 + width) * guess;
    if (guess > 0) gather(field, n, low, high, scratch, &below, &within);
    if (n > 256 && !(below <= rank && rank < below + within - 1)) {
        int64_t stride = (int64_t)sqrt(n) / 4, m = 0;
        if (stride < 1) stride = 1;
        for (int64_t i = 0; i < n; i += stride) scratch[m++] = fabs(field[i]);
        double middle = level * (m - 1), spread = 3 * sqrt(level * (1 - level) * m) + 1;
        int64_t first = fmax(middle - spread, 0), last = fmin((int64_t)(middle + spread) + 1, m - 1);
        high = select_rank(scratch, m, last);
        low = select_rank(scratch, last, first);
        gather(field, n, low, high, scratch, &below, &within);
    }
    if (!(below <= rank && rank < below + within - 1)) {
        below = 0;
        within = n;
        for (int64_t i = 0; i < n; i++) scratch[i] = fabs(field[i]);
    }
    if (within > 64 && within <= n / 2) { /* of many, those about the place where it were if they lay evenly */
        int64_t less, among;
        double middle = low + (high - low) * (rank - below) / within, half = 0.12 * (high - low);
        gather(scratch, within, middle - half, middle + half, scratch + within, &less, &among);
        if (less <= rank - below && rank - below < less + among - 1) {
            scratch += within;
            below += less;
            within = among;
        }
    }
    double lesser = select_rank(scratch, within, rank - below), greater = INFINITY, weight = position - rank;
    if (rank + 1 == n) return lesser;
    for (int64_t k = rank - below + 1; k < within; k++)
        if (scratch[k] < greater) greater = scratch[k];
    return weight >= 0.5 ? greater - (greater - lesser) * (1 - weight) : lesser + (greater - lesser) * weight;
}

/* Avalanche sizes of T fields, each with its own threshold. */
void probe(const double *fields, int64_t n_fields, const uint32_t *begins, const uint32_t *indices, int64_t n, double alpha,
           double level, int64_t max_steps, int64_t *sizes) {
    work w = workspace(begins, n);
    double *field = room(n * sizeof *field), *scratch = room(n * sizeof *scratch), threshold = 0;
    for (int64_t t = 0; t < n_fields; t++) {
        threshold = quantile(fields + t * n, n, level, threshold, scratch);
        memcpy(field, fields + t * n, n * sizeof *field);
        sizes[t] = relax_in(field, begins, indices, n, alpha, threshold, max_steps, w).size;
    }
    free(field);
    free(scratch);
    release(w);
}

/* Lambert's fraction at a quarter of the argument, doubled twice. */
static void tanh_all(double *values, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double x = fabs(values[i]), y = (x < 19.1 ? x : 19.1) * 0.25, square = y * y, a = square + 990, b = 45 * square + 13860;
        a = a * square + 135135;
        a = a * square + 4729725;
        a = (a * square + 34459425) * y;
        b = b * square + 945945;
        b = b * square + 16216200;
        b = b * square + 34459425;
        for (int k = 0; k < 2; k++) {
            double twice = 2 * a * b;
            b = twice + (b - a) * (b - a);
            a = twice;
        }
        values[i] = copysign(a / b, values[i]);
    }
}

static double sum(double *values, int64_t n) {
    while (n > 1) {
        int64_t half = (n + 1) / 2;
        double *other = values + half;
#pragma GCC ivdep
        for (int64_t i = 0; i < n - half; i++) values[i] += other[i];
        n = half;
    }
    return values[0];
}

enum { LANES = 16 }; /* as many sums at once as additions take to be done */

static double distance(const double *a, double of_a, const double *b, double of_b, int64_t n) {
    double lanes[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++) lanes[k] += (a[i + k] * of_a - b[i + k] * of_b) * (a[i + k] * of_a - b[i + k] * of_b);
    for (int64_t i = whole; i < n; i++) lanes[i % LANES] += (a[i] * of_a - b[i] * of_b) * (a[i] * of_a - b[i] * of_b);
    return sqrt(sum(lanes, LANES));
}

static double add_up(const double *values, int64_t n) {
    double lanes[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++) lanes[k] += values[i + k];
    for (int64_t i = whole; i < n; i++) lanes[i % LANES] += values[i];
    return sum(lanes, LANES);
}

static double dot(const double *a, const double *b, int64_t n) {
    double lanes[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++) lanes[k] += a[i + k] * b[i + k];
    for (int64_t i = whole; i < n; i++) lanes[i % LANES] += a[i] * b[i];
    return sum(lanes, LANES);
}

static double angle(const double *a, const double *b, int64_t n) {
    double of_a = 1 / sqrt(dot(a, a, n)), of_b = 1 / sqrt(dot(b, b, n)), chord = distance(a, of_a, b, of_b, n);
    return chord <= sqrt(2) ? 2 * asin(chord / 2) : M_PI - 2 * asin(distance(a, of_a, b, -of_b, n) / 2);
}

enum { FEW_TO_ORDER = 512 };

/* The order of |theta|, from a permutation that nearly is. */
static void put_in_order(const double *theta, int64_t n, uint32_t *order, double *magnitudes) {
    double largest = 0;
    for (int64_t k = 0; k < n; k++) {
        uint32_t i = order[k];
        double magnitude = fabs(theta[i]);
        int64_t place = k;
        if (magnitude < largest)
            for (; place > 0 && magnitudes[place - 1] > magnitude; place--) {
                magnitudes[place] = magnitudes[place - 1];
                order[place] = order[place - 1];
            }
        else
            largest = magnitude;
        magnitudes[place] = magnitude;
        order[place] = i;
    }
}

/* Gini coefficient of |theta|: few put in order, many dealt to n buckets, and corrected for the pairs of a bucket that stand the
 * wrong way round. */
static double gini(const double *theta, int64_t n, uint32_t *places, double *magnitudes, double *restrict scratch) {
    double largest = 0;
    uint32_t fullest = 1, begin = 0;
    for (int64_t i = 0; i < n; i++) scratch[i] = fabs(theta[i]);
    double total = add_up(scratch, n);
    if (total == 0 || !(total < INFINITY)) return total == 0 ? 0 : NAN;
    if (n <= FEW_TO_ORDER) {
        put_in_order(theta, n, places, magnitudes);
    } else {
        for (int64_t i = 0; i < n; i++) largest = fabs(theta[i]) > largest ? fabs(theta[i]) : largest;
        double scale = (n - 1) / largest;
        memset(places, 0, n * sizeof *places);
        for (int64_t i = 0; i < n; i++) places[(uint32_t)(fabs(theta[i]) * scale)]++;
        for (int64_t k = 0; k < n; k++) {
            uint32_t number = places[k];
            fullest = number > fullest ? number : fullest;
            places[k] = begin;
            begin += number;
        }
        for (int64_t i = 0; i < n; i++) magnitudes[places[(uint32_t)(fabs(theta[i]) * scale)]++] = fabs(theta[i]);
    }
    for (int64_t i = 0; i < n; i++) scratch[i] = (i + 1) * magnitudes[i];
    for (int64_t distance = 1; distance < fullest; distance++)
        for (int64_t i = 0; i < n - distance; i++) {
            double wrong = magnitudes[i] - magnitudes[i + distance];
            scratch[i + distance] += wrong > 0 ? wrong : 0;
        }
    return 2 * add_up(scratch, n) / (n * total) - (n + 1.0) / n;
}

/* One in-line run of XOR, tanh units, two inputs, four patterns: curves (epochs + 1,), sizes and angles of the snapshots.
 * Without room for the `concentration`, it is not taken. */
void train(double *theta, int64_t h, const double *inputs, const double *targets, double rate, const uint32_t *begins,
           const uint32_t *indices, double alpha, double level, int64_t max_steps, int64_t every, int64_t epochs, double *loss,
           double *accuracy, double *concentration, int64_t *sizes, double *angles) {
    enum { B = 4 };
    int64_t n = 4 * h + 1;
    double *hidden = malloc(B * h * 8), *columns = malloc(2 * h * 8), *gradient = malloc(n * 8);
    double *relaxed = malloc(n * 8), *scratch = malloc(n * 8), *magnitudes = malloc(n * 8), dlogits[B], threshold = 0;
    uint32_t *places = malloc(n * sizeof *places);
    const double *bias = theta + 2 * h, *readout = theta + 3 * h;
    work w = workspace(begins, n);
    for (int64_t i = 0; i < n; i++) places[i] = i;
    for (int64_t epoch = 0; epoch <= epochs; epoch++) {
        for (int64_t j = 0; j < h; j++)
            for (int k = 0; k < 2; k++) columns[k * h + j] = theta[2 * j + k];
        double mean = 0;
        int right = 0;
        for (int b = 0; b < B; b++) {
            double *units = hidden + b * h;
            for (int64_t j = 0; j < h; j++) units[j] = bias[j] + columns[j] * inputs[2 * b] + columns[h + j] * inputs[2 * b + 1];
            tanh_all(units, h);
            double z = theta[n - 1] + dot(readout, units, h), decay = exp(-fabs(z)), p = (z >= 0 ? 1 : decay) / (1 + decay);
            mean += fmax(z, 0) - z * targets[b] + log1p(decay);
            dlogits[b] = (p - targets[b]) / B;
            right += (z > 0) == (targets[b] > 0.5);
        }
        loss[epoch] = mean / B;
        accuracy[epoch] = right / (double)B;
        if (concentration) concentration[epoch] = gini(theta, n, places, magnitudes, scratch);
        memset(gradient + 2 * h, 0, (n - 2 * h) * 8);
        memset(columns, 0, 2 * h * 8);
        for (int b = 0; b < B; b++) {
            const double *units = hidden + b * h, due = dlogits[b];
            double *of_bias = gradient + 2 * h, *of_readout = gradient + 3 * h;
#pragma GCC ivdep
            for (int64_t j = 0; j < h; j++) {
                double d = due * readout[j] * (1 - units[j] * units[j]);
                of_readout[j] += due * units[j];
                of_bias[j] += d;
                columns[j] += d * inputs[2 * b];
                columns[h + j] += d * inputs[2 * b + 1];
            }
            gradient[n - 1] += due;
        }
        for (int64_t j = 0; j < h; j++)
            for (int k = 0; k < 2; k++) gradient[2 * j + k] = columns[k * h + j];
        threshold = quantile(gradient, n, level, threshold, scratch);
        memcpy(relaxed, gradient, n * 8);
        avalanche result = relax_in(relaxed, begins, indices, n, alpha, threshold, max_steps, w);
        if (epoch % every == 0) {
            sizes[epoch / every] = result.size;
            angles[epoch / every] = angle(gradient, relaxed, n);
        }
        if (epoch < epochs)
            for (int64_t i = 0; i < n; i++) theta[i] -= rate * relaxed[i];
    }
    free(hidden);
    free(columns);
    free(gradient);
    free(relaxed);
    free(scratch);
    free(magnitudes);
    free(places);
    release(w);
}

/* As `probe`, the first thing to write: a whole selection, and `relax_plain`. */
void probe_plain(const double *fields, int64_t n_fields, const uint32_t *begins, const uint32_t *indices, int64_t n, double alpha,
                 double level, int64_t max_steps, int64_t *sizes) {
    double *field = malloc(n * sizeof *field), *scratch = malloc(n * sizeof *scratch);
    for (int64_t t = 0; t < n_fields; t++) {
        for (int64_t i = 0; i < n; i++) scratch[i] = fabs(fields[t * n + i]);
        int64_t rank = (n - 1) * level;
        double weight = (n - 1) * level - rank, lesser = select_rank(scratch, n, rank), greater = INFINITY;
        for (int64_t i = rank + 1; i < n; i++) greater = fmin(greater, scratch[i]);
        double threshold = weight >= 0.5 ? greater - (greater - lesser) * (1 - weight) : lesser + (greater - lesser) * weight;
        memcpy(field, fields + t * n, n * sizeof *field);
        sizes[t] = relax_plain(field, begins, indices, n, alpha, threshold, max_steps).size;
    }
    free(field);
    free(scratch);
}

/* The machine's limits: additions to random places of a field, reading it from end to end, and arithmetic without memory. */
void random_adds(double *field, const uint32_t *places, int64_t n_places) {
    for (int64_t k = 0; k < n_places; k++) field[places[k]] += 1.0;
}

double stream(const double *field, int64_t n, int64_t times) {
    double sums[8] = {0};
    for (int64_t t = 0; t < times; t++) {
        for (int64_t i = 0; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++) sums[k] += field[i + k];
        sums[0] *= 0.5; /* so that one time cannot be taken for all */
    }
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

double arithmetic(int64_t times) {
    double lanes[32] = {0};
    for (int64_t t = 0; t < times; t++)
        for (int k = 0; k < 32; k++) lanes[k] = lanes[k] * 0.5 + 1.0;
    return lanes[times % 32];
}
