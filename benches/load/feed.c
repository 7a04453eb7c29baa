/* The quotes: one text for each symbol, patched in place, and the pace at which they are made. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BEHIND_US 250000 /* nothing more is made while the newest quote any client has is so much older than the last */

struct symbol symbols[MAX_SYMBOLS];
int symbol_count;
struct feed feed;

static int64_t born;             /* what `volume` counts from */
static uint32_t *reached;        /* of the quotes under way, by number: how many clients have it */
static uint32_t receivers;
static struct bytes frames[MAX_STREAMS];
static int in_frame[MAX_STREAMS];

#define UNDER_WAY 4096

void feed_setup(int count) {
    born = now_us();
    symbol_count = count;
    reached = calloc(UNDER_WAY, sizeof *reached);
    for (int i = 0; i < count; i++) {
        struct bytes text = {0};
        bytes_print(&text, "{\"symbol\":\"S%05d.TO\",\"symbolId\":%d,\"tier\":\"\",\"bidPrice\":%d.45,\"bidSize\":", i,
                    FIRST_ID + i, 20 + i % 79);
        size_t count_at = text.len;
        bytes_print(&text,
                    "%d,\"askPrice\":%d.49,\"askSize\":17,\"lastTradePriceTrHrs\":%d.47,\"lastTradePrice\":%d.47,"
                    "\"lastTradeSize\":100,\"lastTradeTick\":\"Up\",\"lastTradeTime\":"
                    "\"2026-03-03T10:00:00.000000-05:00\",\"volume\":",
                    FIRST_COUNT, 20 + i % 79, 20 + i % 79, 20 + i % 79);
        size_t micro_at = text.len;
        bytes_print(&text,
                    "%lld,\"openPrice\":19.9,\"highPrice\":99.81,\"lowPrice\":19.67,\"delay\":0,\"isHalted\":false,"
                    "\"high52w\":138.13,\"low52w\":14.2,\"VWAP\":46.728364}",
                    FIRST_MICRO);
        symbols[i] = (struct symbol){.text = text.at, .text_len = (uint16_t)text.len, .count_at = (uint16_t)count_at,
                                     .micro_at = (uint16_t)micro_at};
    }
}

static void put_digits(char *at, long long value, int digits) {
    for (int i = digits - 1; i >= 0; i--, value /= 10) at[i] = (char)('0' + value % 10);
}

void feed_frame_of(struct bytes *out, int symbol) { bytes_add(out, symbols[symbol].text, symbols[symbol].text_len); }

int64_t feed_micro_to_us(long long micro) { return micro - FIRST_MICRO + born; }

/* A quote as a peer gets it, which has no book: the gateway's own message, complete, for it to pass on. */
static void raw_quote(struct bytes *out, int i) {
    const struct symbol *s = &symbols[i];
    const char *rest = strstr(s->text, "\"tier\"");
    bytes_print(out,
                "{\"type\":\"quotes\",\"quotes\":[{\"symbol\":\"S%05d.TO\",\"symbolId\":%d,\"epoch\":1772550000000,"
                "\"sequence\":%u,",
                i, FIRST_ID + i, s->sent);
    if (feed.raw_full)
        bytes_print(out, "\"freshness\":\"live\",\"source\":\"stream\",\"delayed\":false,\"receivedAt\":1772550000000,"
                         "%.*s]}",
                    (int)(s->text_len - (rest - s->text)), rest);
    else
        bytes_print(out, "\"freshness\":\"live\",\"source\":\"stream\",\"delayed\":false,"
                         "\"bidPrice\":%d.45,\"bidSize\":%.9s,\"askPrice\":%d.49,\"lastTradePrice\":%d.47,"
                         "\"volume\":%.13s}]}",
                    20 + i % 79, s->text + s->count_at, 20 + i % 79, 20 + i % 79, s->text + s->micro_at);
}

static void send_frame(int stream) {
    if (!in_frame[stream]) return;
    bytes_add(&frames[stream], "]}", 2);
    broker_send(stream, &frames[stream]);
    in_frame[stream] = 0;
}

static void make_one(int64_t now) {
    int index = feed.first + feed.cursor;
    if (++feed.cursor == feed.width) feed.cursor = 0;
    struct symbol *s = &symbols[index];
    s->sent++;
    reached[s->sent % UNDER_WAY] = 0;
    put_digits(s->text + s->count_at, FIRST_COUNT + (long long)s->sent, 9);
    put_digits(s->text + s->micro_at, FIRST_MICRO + now - born, 13);
    feed.made++;
    feed.made_at = now;
    if (raw_feed) {
        static struct bytes message;
        message.len = 0;
        raw_quote(&message, index);
        broker_send_raw((uint32_t)index, &message);
        return;
    }
    int stream = s->stream;
    struct bytes *frame = &frames[stream];
    if (!in_frame[stream]) {
        frame->len = 0;
        bytes_add(frame, "{\"quotes\":[", 11);
    } else {
        bytes_add(frame, ",", 1);
    }
    bytes_add(frame, s->text, s->text_len);
    if (++in_frame[stream] == feed.per_frame) send_frame(stream);
}

static void send_all(void) {
    for (int i = 0; i < MAX_STREAMS; i++) send_frame(i);
}

void feed_start(void) {
    feed.on = true;
    feed.begun = feed.seen_at = feed.made_at = now_us();
    feed.made = feed.completed = 0;
    feed.max_late = feed.held = 0;
    feed.cursor = 0;
    memset(reached, 0, UNDER_WAY * sizeof *reached);
}

void feed_expect(uint32_t count) { receivers = count; }

/* Counts arrivals of the one symbol that `depth` paces. Half the clients are enough: the next quote is then there when
 * the server has served the other half, so it neither waits for us nor finds two quotes to join. */
void feed_delivered(uint32_t count) {
    if (++reached[count % UNDER_WAY] == (receivers + 1) / 2) feed.completed++;
}

int64_t feed_next_us(void) {
    if (!feed.on || feed.depth) return INT64_MAX;
    int64_t due = feed.begun + (int64_t)((double)(feed.made + 1) * 1e6 / feed.rate);
    int64_t tick = feed.begun + ((due - feed.begun) / feed.tick + 1) * feed.tick;
    return feed.rate >= 1e6 / feed.tick ? tick : due;
}

void feed_pump(void) {
    if (!feed.on) return;
    if (feed.depth) {
        if (feed.made - feed.completed >= (uint64_t)feed.depth) return;
        int64_t now = now_us();
        while (feed.made - feed.completed < (uint64_t)feed.depth) make_one(now);
        send_all();
        return;
    }
    int64_t now = now_us(), next = feed_next_us();
    if (now < next) return;
    if (feed.made_at > feed.seen_at + MAX_BEHIND_US) { /* it cannot keep up: what falls due meanwhile is never made */
        feed.begun += now - next + feed.tick;
        feed.held += now - next + feed.tick;
        return;
    }
    if (now - next > feed.max_late) feed.max_late = now - next;
    uint64_t due = (uint64_t)((double)(now - feed.begun) * feed.rate / 1e6);
    while (feed.made < due) make_one(now);
    send_all();
}
