/* What a message holds, and whether it may: every sequence number, every count, every announcement. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

/* A key's place in an object hardly moves from one quote to the next: it is looked for where it was, then everywhere. */
struct key { const char *name; size_t len, at; };
static struct key id_key = {"\"symbolId\":", 11, 0}, epoch_key = {"\"epoch\":", 8, 0},
                  sequence_key = {"\"sequence\":", 11, 0}, count_key = {"\"bidSize\":", 10, 0},
                  micro_key = {"\"volume\":", 9, 0};

static const char *value_of(struct key *key, const char *from, const char *end) {
    const char *near = from + key->at;
    if (near + key->len < end && !memcmp(near, key->name, key->len)) return near + key->len;
    const char *found = memmem(from, (size_t)(end - from), key->name, key->len);
    if (!found) return NULL;
    key->at = (size_t)(found - from);
    return found + key->len;
}

static int64_t number(const char *at) {
    int64_t value = 0;
    while (*at >= '0' && *at <= '9') value = value * 10 + (*at++ - '0');
    return value;
}

static int64_t field(struct key *key, const char *from, const char *end) {
    const char *at = value_of(key, from, end);
    return at ? number(at) : -1;
}

long long json_int(const char *from, const char *end, const char *key, long long otherwise) {
    struct key look = {key, strlen(key), 0};
    const char *at = memmem(from, (size_t)(end - from), look.name, look.len);
    return at ? number(at + look.len) : otherwise;
}

static struct position *position_of(struct conn *c, int64_t id) {
    int64_t index = id - FIRST_ID;
    if (index < 0 || index >= symbol_count) return NULL;
    if (!c->slot_of) return c->symbols && c->symbols[0] == index ? c->positions : NULL;
    int slot = c->slot_of[index];
    return slot < 0 ? NULL : &c->positions[slot];
}

/* One update against the one before it. A quote's count grows with each that was made, its sequence with each that the
 * gateway made of those; changes of freshness alone come on top, so the count never outruns the sequence. */
static void judge(struct conn *c, struct position *p, uint32_t epoch, uint32_t sequence, uint32_t count) {
    struct group *g = c->group;
    if (p->sequence && p->epoch == epoch) {
        if (sequence <= p->sequence) {
            g->reordered++;
            return;
        }
        c->gaps += sequence - p->sequence - 1;
        if (count < p->count || count - p->count > sequence - p->sequence) g->torn++;
    }
    *p = (struct position){epoch, sequence, count};
}

static void one_quote(struct conn *c, const char *from, const char *end, int64_t now, bool is_snapshot) {
    struct group *g = c->group;
    int64_t id = field(&id_key, from, end), sequence = field(&sequence_key, from, end);
    struct position *p = position_of(c, id);
    if (!p || sequence < 1) {
        g->unknown++;
        return;
    }
    int64_t epoch = field(&epoch_key, from, end), count = field(&count_key, from, end);
    if (count < 0) count = FIRST_COUNT + (int64_t)p->count; /* a delta that leaves it out */
    if (is_snapshot) {
        *p = (struct position){(uint32_t)epoch, (uint32_t)sequence, (uint32_t)(count - FIRST_COUNT)};
        return;
    }
    judge(c, p, (uint32_t)epoch, (uint32_t)sequence, (uint32_t)(count - FIRST_COUNT));
    g->total_quotes++;
    if (g->counts) feed_delivered((uint32_t)(count - FIRST_COUNT));
    int64_t micro = field(&micro_key, from, end);
    if (micro < 0) return;
    int64_t made = feed_micro_to_us(micro);
    if (made > feed.seen_at) feed.seen_at = made;
    if (!measuring || made < measure_from) return;
    g->quotes++;
    hist_add(&g->latency, now - made);
}

void check_quotes(struct conn *c, const char *payload, size_t len, int64_t now, bool is_snapshot) {
    const char *end = payload + len;
    const char *at = memmem(payload, len < 256 ? len : 256, "\"quotes\":[", 10);
    if (!at) {
        c->group->unknown++;
        return;
    }
    at += 10;
    while (at < end && *at != ']') {
        const char *close = memchr(at, '}', (size_t)(end - at));
        if (!close) break;
        one_quote(c, at, close, now, is_snapshot);
        at = close + 1;
        if (at < end && *at == ',') at++;
    }
    /* What was skipped stands before the list or behind it, never in it. */
    long long skipped = json_int(at, end, "\"skipped\":", 0);
    c->announced += (uint64_t)skipped;
    c->group->skipped += (uint64_t)skipped;
}

void check_gap(struct conn *c, const char *payload, size_t len) {
    const char *end = payload + len;
    for (const char *at = payload; (at = memmem(at, (size_t)(end - at), "\"from\":", 7)) != NULL; at += 7) {
        long long from = number(at + 7), to = json_int(at, end, "\"to\":", from);
        c->announced += (uint64_t)(to - from + 1);
        c->group->skipped += (uint64_t)(to - from + 1);
        c->group->gap_records++;
    }
}

uint64_t check_behind(const struct group *g) {
    uint64_t behind = 0;
    for (int i = 0; i < conn_count; i++) {
        struct conn *c = conns[i];
        if (!c || c->group != g || c->state != LIVE || g->kind != NORMAL) continue;
        for (int j = 0; j < c->symbol_count; j++)
            if (c->positions[j].count != symbols[c->symbols[j]].sent) behind++;
    }
    return behind;
}

uint64_t check_unannounced(const struct group *g) {
    uint64_t wrong = 0;
    for (int i = 0; i < conn_count; i++) {
        struct conn *c = conns[i];
        if (!c || c->group != g || c->state != LIVE) continue;
        wrong += c->gaps > c->announced ? c->gaps - c->announced : c->announced - c->gaps;
    }
    return wrong;
}
