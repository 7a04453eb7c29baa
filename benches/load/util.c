/* Clock, text, arguments and histograms. */
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * MICRO_S + t.tv_nsec / 1000;
}

void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

void say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
}

uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void grow(struct bytes *b, size_t more) {
    if (b->len + more <= b->cap) return;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->len + more) cap *= 2;
    b->at = realloc(b->at, cap);
    if (!b->at) die("memory");
    b->cap = cap;
}

void bytes_add(struct bytes *b, const void *data, size_t len) {
    if (!len) return;
    grow(b, len);
    memcpy(b->at + b->len, data, len);
    b->len += len;
}

void bytes_print(struct bytes *b, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int len = vsnprintf(NULL, 0, format, list);
    grow(b, (size_t)len + 1);
    vsnprintf(b->at + b->len, (size_t)len + 1, format, again);
    b->len += (size_t)len;
    va_end(again);
    va_end(list);
}

void bytes_free(struct bytes *b) {
    free(b->at);
    *b = (struct bytes){0};
}

const char *arg(const struct args *a, const char *key, const char *otherwise) {
    for (int i = 0; i < a->n; i++)
        if (!strcmp(a->key[i], key)) return a->value[i];
    return otherwise;
}

long long arg_int(const struct args *a, const char *key, long long otherwise) {
    const char *text = arg(a, key, NULL);
    return text ? atoll(text) : otherwise;
}

/* Buckets of equal width below HIST_SUB, then HIST_SUB to each doubling: within 1.6 % everywhere. */
static int bucket_of(int64_t us) {
    if (us < 0) us = 0;
    if (us < HIST_SUB) return (int)us;
    int shift = 63 - __builtin_clzll((uint64_t)us) - 6;
    int index = (shift + 1) * HIST_SUB + (int)((us >> shift) - HIST_SUB);
    return index < HIST_BUCKETS ? index : HIST_BUCKETS - 1;
}

static int64_t bucket_top(int index) {
    if (index < HIST_SUB) return index;
    int shift = index / HIST_SUB - 1;
    return (((int64_t)(index % HIST_SUB) + HIST_SUB + 1) << shift) - 1;
}

void hist_add(struct hist *h, int64_t us) {
    h->bucket[bucket_of(us)]++;
    h->count++;
    if (us > h->max) h->max = us;
}

int64_t hist_at(const struct hist *h, double quantile) {
    uint64_t want = (uint64_t)(quantile * (double)h->count), seen = 0;
    if (!h->count) return 0;
    if (want >= h->count) want = h->count - 1;
    for (int i = 0; i < HIST_BUCKETS; i++)
        if ((seen += h->bucket[i]) > want) return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    return h->max;
}

void hist_print(struct bytes *out, const char *name, const struct hist *h) {
    bytes_print(out,
                "\"%s\":{\"count\":%llu,\"p50\":%lld,\"p90\":%lld,\"p99\":%lld,\"p999\":%lld,\"max\":%lld}", name,
                (unsigned long long)h->count, (long long)hist_at(h, 0.50), (long long)hist_at(h, 0.90),
                (long long)hist_at(h, 0.99), (long long)hist_at(h, 0.999), (long long)h->max);
}
