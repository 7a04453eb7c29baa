/* Questrade, as far as the gateway looks: login, symbols, quotes, and the stream sockets that carry the feed.
 *
 * One port for all. What a stream carries is what the last `stream=true` request in that person's name asked for.
 * A peer without such an upstream sends the line RAW and gets each message with its length and topic in front.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARKET_OPEN 1772550000 /* Tuesday 2026-03-03, ten in the morning in Toronto */

enum part { HTTP, STREAM_NEW, STREAM, RAW };
struct visit { struct source source; enum part part; int person; struct bytes in, out; struct visit *next_dead; };

static struct source listener;
static int port;
static int64_t started;
static struct visit *streams[MAX_STREAMS]; /* by person */
static char names[MAX_STREAMS][64];
static int person_count;
struct source *raw_feed;
static struct visit *dead;

static int person_of(const char *token, size_t len) {
    for (int i = 0; i < person_count; i++)
        if (strlen(names[i]) == len && !memcmp(names[i], token, len)) return i;
    if (person_count == MAX_STREAMS || len >= sizeof names[0]) return -1;
    memcpy(names[person_count], token, len);
    return person_count++;
}

static void visit_end(struct visit *v) {
    unwatch(&v->source);
    close(v->source.fd);
    for (int i = 0; i < MAX_STREAMS; i++)
        if (streams[i] == v) streams[i] = NULL;
    if (raw_feed == &v->source) raw_feed = NULL;
    v->source.fd = -1;
    v->next_dead = dead;
    dead = v;
}

void broker_bury(void) {
    while (dead) {
        struct visit *v = dead;
        dead = v->next_dead;
        bytes_free(&v->in);
        bytes_free(&v->out);
        free(v);
    }
}

static void visit_flush(struct visit *v) {
    size_t sent = 0;
    while (sent < v->out.len) {
        ssize_t n = send(v->source.fd, v->out.at + sent, v->out.len - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += (size_t)n;
    }
    memmove(v->out.at, v->out.at + sent, v->out.len - sent);
    v->out.len -= sent;
    watch(&v->source, v->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN, false);
}

static void visit_write(struct visit *v, const void *data, size_t len) {
    bool idle = v->out.len == 0;
    ssize_t n = idle ? send(v->source.fd, data, len, MSG_NOSIGNAL) : 0;
    if (n == (ssize_t)len) return;
    if (n < 0) n = 0;
    bytes_add(&v->out, (const char *)data + n, len - (size_t)n);
    if (idle) watch(&v->source, EPOLLIN | EPOLLOUT, false);
}

static void send_text(struct visit *v, const struct bytes *payload) {
    static struct bytes whole;
    whole.len = 0;
    ws_header(&whole, WS_TEXT, payload->len, false);
    bytes_add(&whole, payload->at, payload->len);
    visit_write(v, whole.at, whole.len);
}

void broker_send(int stream, const struct bytes *payload) {
    if (streams[stream]) send_text(streams[stream], payload);
}

void broker_send_raw(uint32_t topic, const struct bytes *payload) {
    static struct bytes whole;
    uint32_t head[2] = {(uint32_t)payload->len, topic};
    whole.len = 0;
    bytes_add(&whole, head, sizeof head);
    bytes_add(&whole, payload->at, payload->len);
    visit_write((struct visit *)raw_feed, whole.at, whole.len);
}

int broker_stream_count(void) {
    int count = 0;
    for (int i = 0; i < MAX_STREAMS; i++) count += streams[i] != NULL;
    return count;
}

size_t broker_backlog(void) {
    size_t most = 0;
    for (int i = 0; i < MAX_STREAMS; i++)
        if (streams[i] && streams[i]->out.len > most) most = streams[i]->out.len;
    return most;
}

static void answer(struct visit *v, int status, const struct bytes *body) {
    struct bytes out = {0};
    bytes_print(&out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
                status == 200 ? "OK" : "Not Found", body->len);
    bytes_add(&out, body->at, body->len);
    visit_write(v, out.at, out.len);
    bytes_free(&out);
}

static void tell_symbol(struct bytes *out, int i) {
    bytes_print(out,
                "{\"symbol\":\"S%05d.TO\",\"symbolId\":%d,\"listingExchange\":\"TSX\",\"description\":\"BENCH %d\","
                "\"securityType\":\"Stock\",\"isTradable\":true,\"isQuotable\":true,\"currency\":\"CAD\","
                "\"minTicks\":[]}",
                i, FIRST_ID + i, i);
}

/* Calls `each` for every symbol a query names by id, or by the number in its name. */
static int for_each(const char *query, void (*each)(struct bytes *, int), struct bytes *out, int person) {
    const char *at = strstr(query, "ids="), *end;
    bool by_name = !at;
    int found = 0;
    if (by_name) at = strstr(query, "names=");
    if (!at) return 0;
    at = strchr(at, '=') + 1;
    end = at + strcspn(at, "& ");
    while (at < end) {
        int i = by_name ? atoi(at + 1) : atoi(at) - FIRST_ID;
        if (i >= 0 && i < symbol_count) {
            if (out && found) bytes_add(out, ",", 1);
            if (each) each(out, i);
            if (person >= 0) symbols[i].stream = (uint16_t)person;
            found++;
        }
        while (at < end && *at != ',' && strncasecmp(at, "%2C", 3)) at++;
        at += at < end && *at == '%' ? 3 : 1;
    }
    return found;
}

static void route(struct visit *v, const char *path, int person) {
    struct bytes body = {0};
    int status = 200;
    if (!strncmp(path, "/oauth2/token", 13)) {
        const char *token = strstr(v->in.at, "refresh_token=bench");
        bytes_print(&body,
                    "{\"access_token\":\"access%.*s\",\"refresh_token\":\"bench%.*s\",\"token_type\":\"Bearer\","
                    "\"expires_in\":86400,\"api_server\":\"http://127.0.0.1:%d/\"}",
                    token ? 2 : 0, token ? token + 19 : "", token ? 2 : 0, token ? token + 19 : "", port);
    } else if (!strncmp(path, "/v1/time", 8)) {
        time_t theirs = (time_t)(MARKET_OPEN - 5 * 3600 + (now_us() - started) / MICRO_S); /* Toronto's clock face */
        struct tm tm;
        char text[64];
        gmtime_r(&theirs, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        bytes_print(&body, "{\"time\":\"%s.000000-05:00\"}", text);
    } else if (!strncmp(path, "/v1/symbols?", 12)) {
        bytes_print(&body, "{\"symbols\":[");
        for_each(path, tell_symbol, &body, -1);
        bytes_print(&body, "]}");
    } else if (!strncmp(path, "/v1/markets/quotes?", 19) && strstr(path, "stream=true")) {
        for_each(path, NULL, NULL, person);
        bytes_print(&body, "{\"streamPort\":%d}", port);
    } else if (!strncmp(path, "/v1/markets/quotes?", 19)) {
        bytes_print(&body, "{\"quotes\":[");
        for_each(path, feed_frame_of, &body, -1);
        bytes_print(&body, "]}");
    } else {
        status = 404;
        bytes_print(&body, "{\"code\":1001,\"message\":\"Invalid endpoint\"}");
    }
    answer(v, status, &body);
    bytes_free(&body);
}

static void upgrade(struct visit *v) {
    struct bytes out = {0};
    size_t len = 0;
    char accept[29] = "";
    const char *key = http_header(v->in.at, "Sec-WebSocket-Key", &len);
    if (key) ws_accept_key(key, len, accept);
    bytes_print(&out,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\n\r\n",
                accept);
    visit_write(v, out.at, out.len);
    bytes_free(&out);
    v->part = STREAM_NEW;
}

/* The token came: from here on the stream carries the person's symbols, all of them once to begin with. */
static void authorize(struct visit *v, const struct frame *token) {
    struct bytes text = {0};
    int quotes = 0;
    v->person = person_of(token->payload, token->len);
    if (v->person < 0) return;
    if (streams[v->person]) visit_end(streams[v->person]);
    streams[v->person] = v;
    v->part = STREAM;
    bytes_print(&text, "{\"success\":true}");
    send_text(v, &text);
    text.len = 0;
    bytes_print(&text, "{\"quotes\":[");
    for (int i = 0; i < symbol_count; i++) {
        if (symbols[i].stream != v->person) continue;
        if (quotes++) bytes_add(&text, ",", 1);
        feed_frame_of(&text, i);
    }
    bytes_print(&text, "]}");
    send_text(v, &text);
    bytes_free(&text);
}

static size_t read_http(struct visit *v) {
    bytes_add(&v->in, "", 1);
    v->in.len--; /* a zero behind what came, for the text functions */
    if (v->in.len >= 4 && !memcmp(v->in.at, "RAW\n", 4)) {
        v->part = RAW;
        raw_feed = &v->source;
        return 4;
    }
    char *end = strstr(v->in.at, "\r\n\r\n");
    if (!end) return 0;
    size_t len = 0, head = (size_t)(end - v->in.at) + 4;
    const char *length = http_header(v->in.at, "Content-Length", &len);
    size_t total = head + (length ? (size_t)atoll(length) : 0);
    if (v->in.len < total) return 0;
    if (http_header(v->in.at, "Sec-WebSocket-Key", &len)) {
        upgrade(v);
        return total;
    }
    const char *bearer = http_header(v->in.at, "Authorization", &len);
    int person = bearer && len > 7 ? person_of(bearer + 7, len - 7) : -1;
    const char *path = strchr(v->in.at, ' ') + 1;
    route(v, path, person);
    return total;
}

static void visit_ready(struct source *self, uint32_t events) {
    struct visit *v = (struct visit *)self;
    static char buffer[65536];
    if (self->fd < 0) return;
    if (events & EPOLLOUT) visit_flush(v);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    ssize_t n = recv(self->fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        visit_end(v);
        return;
    }
    bytes_add(&v->in, buffer, (size_t)n);
    while (v->in.len) {
        struct frame frame;
        size_t taken = 0;
        if (v->part == HTTP) {
            taken = read_http(v);
        } else if (v->part == RAW) {
            taken = v->in.len;
        } else if (ws_read(v->in.at, v->in.len, &frame)) {
            taken = frame.total;
            if (frame.opcode == WS_CLOSE) {
                visit_end(v);
                return;
            }
            if (v->part == STREAM_NEW && frame.opcode == WS_TEXT) authorize(v, &frame);
        }
        if (!taken) break;
        memmove(v->in.at, v->in.at + taken, v->in.len - taken);
        v->in.len -= taken;
    }
}

static void accept_ready(struct source *self, uint32_t events) {
    (void)events;
    int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct visit *v = calloc(1, sizeof *v);
    v->source = (struct source){visit_ready, fd};
    v->person = -1;
    watch(&v->source, EPOLLIN, true);
}

int broker_listen(int wanted) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, 128)) die("the broker cannot listen");
    getsockname(fd, (struct sockaddr *)&at, &len);
    listener = (struct source){accept_ready, fd};
    watch(&listener, EPOLLIN, true);
    started = now_us();
    port = ntohs(at.sin_port);
    for (int i = 0; i < MAX_SYMBOLS; i++) symbols[i].stream = MAX_STREAMS - 1;
    return port;
}
