/* The load program: thousands of WebSocket clients and the upstream that feeds them, in one thread on one core.
 *
 * It plays Questrade (login, REST, quote streams) towards the gateway, and the clients behind it. Since it makes every
 * quote itself, it knows what each client must have received, and when the quote was made: each carries its own count
 * (`bidSize`) and its moment (`volume`, microseconds), both of which the gateway passes on untouched.
 *
 * It is driven by lines of `verb key=value ...` on standard input and answers each with one line of JSON.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_SYMBOLS 20000
#define MAX_GROUPS 16
#define MAX_STREAMS 16
#define FIRST_ID 1000001     /* symbol i has this id plus i */
#define FIRST_COUNT 100000000 /* of `bidSize`: nine digits, so that the text keeps its length */
#define FIRST_MICRO 1000000000000ll /* of `volume`: thirteen digits */
#define MICRO_S 1000000ll

/* --- util.c --- */
int64_t now_us(void);
void die(const char *what);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t random_next(uint64_t *state);

struct bytes { char *at; size_t len, cap; };
void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_print(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *b);

struct args { int n; char *key[32], *value[32]; };
const char *arg(const struct args *a, const char *key, const char *otherwise);
long long arg_int(const struct args *a, const char *key, long long otherwise);

#define HIST_SUB 64
#define HIST_BUCKETS (40 * HIST_SUB)
struct hist { uint64_t count, bucket[HIST_BUCKETS]; int64_t max; };
void hist_add(struct hist *h, int64_t us);
int64_t hist_at(const struct hist *h, double quantile);
void hist_print(struct bytes *out, const char *name, const struct hist *h);

/* --- things epoll knows: the first member of each tells whose turn it is --- */
struct source { void (*ready)(struct source *self, uint32_t events); int fd; };
extern int epoll_fd;
void watch(struct source *s, uint32_t events, bool is_new);
void unwatch(struct source *s);

/* --- ws.c --- */
#define WS_TEXT 1
#define WS_CLOSE 8
#define WS_PING 9
#define WS_PONG 10
struct frame { int opcode; bool reserved; char *payload; size_t len, total; };
/* Reads one frame at `at`; false when it is not whole yet. Masked payloads are unmasked in place. */
bool ws_read(char *at, size_t len, struct frame *out);
/* Adds the frame's header for `len` bytes of payload; a client's mask is zero, which leaves the payload as it is. */
void ws_header(struct bytes *b, int opcode, size_t len, bool masked);
void ws_accept_key(const char *key, size_t len, char out[29]);
/* The value of a header of an HTTP head, or null; `*len` its length. */
const char *http_header(const char *head, const char *name, size_t *len);

/* --- feed.c: the quotes and their pace --- */
struct symbol { uint32_t sent; uint16_t stream; char *text; uint16_t text_len, count_at, micro_at, sequence_at; };
extern struct symbol symbols[MAX_SYMBOLS];
extern int symbol_count;
struct feed {
    bool on, raw_full;
    double rate;          /* quotes a second; 0 where `depth` paces */
    int depth;            /* this many quotes under way, the next once the oldest has reached half the clients */
    int first, width;     /* the symbols it moves */
    int per_frame;        /* at most so many quotes in one frame */
    int64_t tick;         /* microseconds: what falls due within one goes out together */
    int64_t begun, max_late, held; /* held: how long it made nothing because nobody read */
    int64_t made_at, seen_at; /* when the last quote was made, and the newest that a client has */
    uint64_t made, completed;
    int cursor;
};
extern struct feed feed;
extern struct source *raw_feed;
void feed_setup(int count);
void feed_start(void);
void feed_pump(void);          /* makes what is due */
int64_t feed_next_us(void);    /* when something is due */
void feed_frame_of(struct bytes *out, int symbol); /* the quote as it stands, as JSON */
void feed_delivered(uint32_t count);
void feed_expect(uint32_t receivers);
int64_t feed_micro_to_us(long long micro); /* when a quote was made, by its `volume` */

/* --- broker.c: Questrade's login, REST and streams --- */
int broker_listen(int port);
void broker_send(int stream, const struct bytes *payload);
void broker_send_raw(uint32_t topic, const struct bytes *payload);
int broker_stream_count(void);
size_t broker_backlog(void);
void broker_bury(void); /* frees what ended; between two rounds of events */

/* --- client.c --- */
enum kind { NORMAL, IDLE, STALLED, LORIS, FLOOD, SUBSCRIBER_BOMB, COMPRESSION_BOMB };
enum state { CONNECTING, UPGRADING, GREETING, SUBSCRIBING, SNAPSHOT, LIVE, GONE };

struct position { uint32_t epoch, sequence, count; };

struct group {
    char name[32];
    enum kind kind;
    int wanted, started, live, failed, lost, stalled;
    int concurrency;
    int symbols, of, first;
    const char *pick;          /* random, same or key */
    char extra[512];           /* more JSON for the subscribe command */
    uint64_t seed;
    int64_t begun, all_live;
    uint64_t reads, frames, quotes, bytes;   /* in the measured window */
    uint64_t total_quotes, gaps, gap_records, skipped, reordered, torn, unknown, errors;
    uint64_t closes[8]; int close_codes[8];
    struct hist latency;
    struct hist joining;       /* microseconds from connect to live */
    bool counts;               /* its clients hold up the feed's depth */
    char last_error[256];
};
extern struct group groups[MAX_GROUPS];
extern int group_count;

struct conn {
    struct source source;
    struct group *group;
    enum state state;
    uint32_t index;
    struct bytes in, out;
    uint16_t *symbols;         /* indices, in the order asked */
    int16_t *slot_of;          /* symbol index to slot, -1 for none; null with one symbol */
    int symbol_count, acked;
    struct position *positions;
    uint64_t gaps, announced;
    int64_t began, act_at;
    int acts;
    struct conn *next_timer;
};
extern struct conn **conns;
extern int conn_count;

/* `spin`: never sleep while a command is carried out. Over a network nobody pays for waking the receiver; on loopback the
 * sender does, for every message that finds us asleep, and the more of them the slower it is. */
struct target { char host[64], path[64], token[4096]; int port; bool raw, spin; int sources; int pids[16], pid_count; };
extern struct target target;

struct group *group_named(const char *name, bool create);
void group_fill(struct group *g);  /* opens connections while there is room */
void conn_open(struct group *g, uint32_t index);
void conn_lost(struct conn *c, int code);
void conn_send(struct conn *c, int opcode, const char *payload, size_t len);
void conn_flush(struct conn *c);
void group_close(struct group *g);
void subscribe_text(struct bytes *out, struct conn *c);

/* --- check.c: what a message holds, and whether it may --- */
void check_quotes(struct conn *c, const char *payload, size_t len, int64_t now, bool is_snapshot);
void check_gap(struct conn *c, const char *payload, size_t len);
long long json_int(const char *from, const char *end, const char *key, long long otherwise);
/* Compares what a group's clients have with what was made: how many of their symbols are not at the newest quote. */
uint64_t check_behind(const struct group *g);
uint64_t check_unannounced(const struct group *g);

/* --- hostile.c --- */
void hostile_open(struct conn *c);
void hostile_live(struct conn *c);
int64_t hostile_pump(int64_t now);  /* does what is due; when the next is */

/* --- main.c: the measured window --- */
extern bool measuring;
extern int64_t measure_from;

#endif
