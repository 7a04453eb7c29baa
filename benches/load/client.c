/* The clients: connect, upgrade, say hello, subscribe, then take what comes. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (128 * 1024) /* in one go: what fits the cache beside the rest */
#define IP_BIND_ADDRESS_NO_PORT_ 24

struct group groups[MAX_GROUPS];
int group_count;
struct conn **conns;
int conn_count;
struct target target;

static struct bytes work;

struct group *group_named(const char *name, bool create) {
    for (int i = 0; i < group_count; i++)
        if (!strcmp(groups[i].name, name)) return &groups[i];
    if (!create || group_count == MAX_GROUPS) return NULL;
    struct group *g = &groups[group_count++];
    snprintf(g->name, sizeof g->name, "%s", name);
    return g;
}

static void choose_symbols(struct conn *c) {
    struct group *g = c->group;
    int count = g->symbols, of = g->of;
    c->symbol_count = count;
    if (!count) return;
    c->symbols = malloc((size_t)count * sizeof *c->symbols);
    c->positions = calloc((size_t)count, sizeof *c->positions);
    if (count == 1) {
        c->symbols[0] = (uint16_t)(g->first + (*g->pick == 's' ? 0 : (int)(c->index % (uint32_t)of)));
        return;
    }
    c->slot_of = malloc((size_t)symbol_count * sizeof *c->slot_of);
    for (int i = 0; i < symbol_count; i++) c->slot_of[i] = -1;
    uint64_t random = g->seed + (*g->pick == 's' ? 0 : c->index);
    for (int i = 0; i < count;) {
        int symbol = g->first + (count == of ? i : (int)(random_next(&random) % (uint64_t)of));
        if (c->slot_of[symbol] >= 0) continue;
        c->slot_of[symbol] = (int16_t)i;
        c->symbols[i++] = (uint16_t)symbol;
    }
}

void subscribe_text(struct bytes *out, struct conn *c) {
    bytes_print(out, "{\"type\":\"subscribe\"%s%s,\"ids\":[", *c->group->extra ? "," : "", c->group->extra);
    for (int i = 0; i < c->symbol_count; i++) bytes_print(out, i ? ",%d" : "%d", FIRST_ID + c->symbols[i]);
    bytes_print(out, "]}");
}

/* --- writing --- */

void conn_flush(struct conn *c) {
    while (c->out.len) {
        ssize_t n = send(c->source.fd, c->out.at, c->out.len, MSG_NOSIGNAL);
        if (n <= 0) break;
        memmove(c->out.at, c->out.at + n, c->out.len - (size_t)n);
        c->out.len -= (size_t)n;
    }
    watch(&c->source, c->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN, false);
    if (!c->out.len) bytes_free(&c->out);
}

void conn_send(struct conn *c, int opcode, const char *payload, size_t len) {
    static struct bytes whole;
    whole.len = 0;
    ws_header(&whole, opcode, len, true);
    bytes_add(&whole, payload, len);
    ssize_t n = c->out.len ? 0 : send(c->source.fd, whole.at, whole.len, MSG_NOSIGNAL);
    if (n < 0) n = 0;
    if ((size_t)n == whole.len) return;
    bytes_add(&c->out, whole.at + n, whole.len - (size_t)n);
    watch(&c->source, EPOLLIN | EPOLLOUT, false);
}

/* --- the stages of a connection --- */

static void conn_ready(struct source *self, uint32_t events);

void conn_open(struct group *g, uint32_t index) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) die("a socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* One address has only so many ports; and those who are not as others come from an address of their own. */
    uint32_t offset = g->kind != NORMAL ? 0x20000u : 0x10000u + index % (uint32_t)target.sources;
    if (g->kind != NORMAL || target.sources > 1) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT_, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, sizeof from)) die("a source address");
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target.port)};
    inet_pton(AF_INET, target.host, &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
    struct conn *c = calloc(1, sizeof *c);
    c->source = (struct source){conn_ready, fd};
    c->group = g;
    c->index = index;
    c->began = now_us();
    choose_symbols(c);
    conns = realloc(conns, (size_t)(conn_count + 1) * sizeof *conns);
    conns[conn_count++] = c;
    watch(&c->source, EPOLLOUT, true);
    g->started++;
}

void conn_lost(struct conn *c, int code) {
    struct group *g = c->group;
    if (c->state == GONE) return;
    if (c->state == LIVE) g->live--, g->lost++;
    else if (g->kind < LORIS) g->failed++;
    for (int i = 0; i < 8; i++) {
        if (g->closes[i] && g->close_codes[i] != code) continue;
        g->close_codes[i] = code;
        g->closes[i]++;
        break;
    }
    c->state = GONE;
    unwatch(&c->source);
    close(c->source.fd);
    c->act_at = now_us() + MICRO_S / 10; /* the hostile come back */
}

static void forget(struct conn *c) {
    bytes_free(&c->in);
    bytes_free(&c->out);
    free(c->symbols);
    free(c->slot_of);
    free(c->positions);
    free(c);
}

void group_close(struct group *g) {
    int kept = 0;
    for (int i = 0; i < conn_count; i++) {
        struct conn *c = conns[i];
        if (c->group != g) {
            conns[kept++] = c;
            continue;
        }
        if (c->state != GONE) {
            unwatch(&c->source);
            close(c->source.fd);
        }
        forget(c);
    }
    conn_count = kept;
    g->live = g->started = g->wanted = 0;
}

void group_fill(struct group *g) {
    while (g->started < g->wanted && g->started - g->live - g->failed - g->lost < g->concurrency)
        conn_open(g, (uint32_t)g->started);
}

static void become_live(struct conn *c) {
    struct group *g = c->group;
    c->state = LIVE;
    g->live++;
    hist_add(&g->joining, now_us() - c->began);
    if (g->live + g->failed + g->lost >= g->wanted) g->all_live = now_us();
    if (g->kind == STALLED) watch(&c->source, 0, false);
    if (g->kind > STALLED) hostile_live(c);
    group_fill(g);
}

static void send_upgrade(struct conn *c) {
    work.len = 0;
    bytes_print(&work,
                "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                target.path, target.host, target.port);
    if (send(c->source.fd, work.at, work.len, MSG_NOSIGNAL) != (ssize_t)work.len) conn_lost(c, -1);
    c->state = UPGRADING;
}

static void upgraded(struct conn *c) {
    /* Peers are greeted too, though they take no notice: the kernel treats a connection on which both sides have spoken
     * differently. It acknowledges less often, and then from within the sender's send(). */
    work.len = 0;
    bytes_print(&work, "{\"type\":\"hello\",\"protocol\":1,\"capabilities\":[\"gap\"],\"token\":\"%s\"}", target.token);
    c->state = GREETING;
    conn_send(c, WS_TEXT, work.at, work.len);
    if (target.raw) become_live(c);
}

static void welcomed(struct conn *c) {
    if (!c->symbol_count) {
        become_live(c);
        return;
    }
    work.len = 0;
    subscribe_text(&work, c);
    c->state = SUBSCRIBING;
    conn_send(c, WS_TEXT, work.at, work.len);
}

static bool is_type(const struct frame *f, const char *type, size_t len) {
    return f->len > 10 + len && !memcmp(f->payload + 9, type, len);
}
#define TYPE(text) is_type(f, text, sizeof text - 1)

static void on_text(struct conn *c, struct frame *f, int64_t now) {
    struct group *g = c->group;
    if (g->kind >= LORIS) {
        if (TYPE("welcome\"") && c->state == GREETING) become_live(c);
        return;
    }
    if (TYPE("quotes\"")) {
        check_quotes(c, f->payload, f->len, now, false);
    } else if (TYPE("gap")) {
        check_gap(c, f->payload, f->len);
    } else if (TYPE("welcome\"") && c->state == GREETING) {
        welcomed(c);
    } else if (TYPE("subscribed\"") && c->state == SUBSCRIBING) {
        c->state = SNAPSHOT;
    } else if (TYPE("snapshot\"")) {
        check_quotes(c, f->payload, f->len, now, true);
        bool more = memmem(f->payload, f->len < 100 ? f->len : 100, "\"more\":true", 11) != NULL;
        if (c->state == SNAPSHOT && !more) become_live(c);
    } else if (TYPE("error\"")) {
        g->errors++;
        snprintf(g->last_error, sizeof g->last_error, "%.*s", (int)(f->len < 200 ? f->len : 200), f->payload);
    }
}

/* Takes the whole frames in `at`; how many bytes they had. */
static size_t take_frames(struct conn *c, char *at, size_t len, int64_t now) {
    size_t used = 0;
    struct frame frame;
    while (c->state != GONE && ws_read(at + used, len - used, &frame)) {
        used += frame.total;
        if (measuring) c->group->frames++;
        switch (frame.opcode) {
        case WS_TEXT: on_text(c, &frame, now); break;
        case WS_PING: conn_send(c, WS_PONG, frame.payload, frame.len); break;
        case WS_CLOSE: conn_lost(c, frame.len > 1 ? (unsigned char)frame.payload[0] << 8 | (unsigned char)frame.payload[1] : 1005); break;
        default: break;
        }
    }
    return used;
}

static size_t take_upgrade(struct conn *c, char *at, size_t len) {
    char *end = memmem(at, len, "\r\n\r\n", 4);
    if (!end) return 0;
    if (len < 12 || memcmp(at + 9, "101", 3)) {
        snprintf(c->group->last_error, sizeof c->group->last_error, "%.*s", 120, at);
        conn_lost(c, len >= 12 ? atoi(at + 9) : -1);
        return len;
    }
    upgraded(c);
    return (size_t)(end - at) + 4;
}

static void conn_ready(struct source *self, uint32_t events) {
    struct conn *c = (struct conn *)self;
    static char buffer[16 * 1024 * 1024];
    if (c->state == GONE) return;
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error || events & EPOLLERR) {
            conn_lost(c, -error);
            return;
        }
        watch(self, EPOLLIN, false);
        if (c->group->kind >= LORIS) hostile_open(c);
        else send_upgrade(c);
        return;
    }
    if (events & EPOLLOUT) conn_flush(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    size_t held = c->in.len;
    if (held) memcpy(buffer, c->in.at, held);
    if (held + READ_BYTES > sizeof buffer) die("a frame is too long");
    ssize_t n = recv(self->fd, buffer + held, READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        conn_lost(c, 1006);
        return;
    }
    int64_t now = now_us();
    if (measuring) {
        c->group->reads++;
        c->group->bytes += (uint64_t)n;
    }
    size_t len = held + (size_t)n, used = 0;
    if (c->state == UPGRADING) used = take_upgrade(c, buffer, len);
    if (c->state > UPGRADING && c->state != GONE) used += take_frames(c, buffer + used, len - used, now);
    c->in.len = 0;
    if (c->state == GONE) return;
    if (used < len) bytes_add(&c->in, buffer + used, len - used);
    else if (held) bytes_free(&c->in);
}
