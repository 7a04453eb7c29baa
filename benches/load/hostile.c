/* Clients that mean harm: each kind acts at its own pace and comes back when it is thrown out. */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LORIS_US 200000   /* between two bytes of a request head */
#define FLOOD_US 2000     /* between two bursts of pings */
#define FLOOD_BURST 20
#define BOMB_US 100000    /* between two huge commands */
#define BOMB_SYMBOLS 5000
#define LOOK_US 500       /* how exactly all that is kept */

static struct bytes work;

static void send_head(struct conn *c, const char *extra) {
    work.len = 0;
    bytes_print(&work,
                "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                target.path, target.host, target.port, extra);
    send(c->source.fd, work.at, work.len, MSG_NOSIGNAL);
}

void hostile_open(struct conn *c) {
    c->act_at = now_us();
    if (c->group->kind == LORIS) {
        c->state = UPGRADING;
        return;
    }
    send_head(c, c->group->kind == COMPRESSION_BOMB ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    c->state = UPGRADING;
}

void hostile_live(struct conn *c) { c->act_at = now_us(); }

static void loris(struct conn *c) {
    static const char head[] = "GET /ws HTTP/1.1\r\nHost: a\r\nX-Slow: ";
    char byte = c->acts < (int)sizeof head - 1 ? head[c->acts] : 'x';
    if (send(c->source.fd, &byte, 1, MSG_NOSIGNAL) < 0) conn_lost(c, -1);
    c->act_at += LORIS_US;
}

static void flood(struct conn *c) {
    static const char ping[] = "{\"type\":\"ping\",\"timestamp\":1}";
    for (int i = 0; i < FLOOD_BURST && c->out.len < 65536; i++) conn_send(c, WS_TEXT, ping, sizeof ping - 1);
    c->act_at += FLOOD_US;
}

static void subscriber_bomb(struct conn *c) {
    static struct bytes commands[2]; /* made once: this program's time is what it measures the others with */
    struct bytes *command = &commands[c->acts % 2];
    if (!command->len) {
        bytes_print(command, "{\"type\":\"%s\",\"ids\":[", c->acts % 2 ? "unsubscribe" : "subscribe");
        for (int i = 0; i < BOMB_SYMBOLS; i++) bytes_print(command, i ? ",%d" : "%d", FIRST_ID + i);
        bytes_print(command, "]}");
    }
    if (c->out.len < 1000000) conn_send(c, WS_TEXT, command->at, command->len);
    c->act_at += BOMB_US;
}

/* A text frame that says it is compressed: 1000 blocks of zeros that would unfold to a thousand times their size. */
static void compression_bomb(struct conn *c) {
    static char zeros[1000];
    work.len = 0;
    ws_header(&work, WS_TEXT, sizeof zeros, true);
    work.at[0] |= 0x40;
    bytes_add(&work, zeros, sizeof zeros);
    send(c->source.fd, work.at, work.len, MSG_NOSIGNAL);
    c->act_at += BOMB_US;
}

static void act(struct conn *c) {
    switch (c->group->kind) {
    case LORIS: loris(c); break;
    case FLOOD: flood(c); break;
    case SUBSCRIBER_BOMB: subscriber_bomb(c); break;
    case COMPRESSION_BOMB: compression_bomb(c); break;
    default: return;
    }
    c->acts++;
}

static bool is_acting(const struct conn *c) {
    if (c->group->kind < LORIS || c->state == CONNECTING) return false;
    return c->state == GONE || c->state == LIVE || c->group->kind == LORIS;
}

static bool is_anyone_hostile(void) {
    for (int i = 0; i < group_count; i++)
        if (groups[i].kind >= LORIS && groups[i].wanted) return true;
    return false;
}

/* Walks all clients, so not oftener than need be: its time is the healthy ones' too. */
int64_t hostile_pump(int64_t now) {
    static int64_t look_at;
    if (!is_anyone_hostile()) return INT64_MAX;
    if (now < look_at) return look_at;
    look_at = now + LOOK_US;
    int64_t next = INT64_MAX;
    for (int i = 0; i < conn_count; i++) {
        struct conn *c = conns[i];
        if (!is_acting(c)) continue;
        if (c->act_at <= now && c->state == GONE) {
            struct group *g = c->group;
            uint32_t index = c->index;
            free(c->symbols);
            free(c->slot_of);
            free(c->positions);
            bytes_free(&c->in);
            bytes_free(&c->out);
            free(c);
            conns[i] = conns[--conn_count];
            g->started--;
            conn_open(g, index);
            i--;
            continue;
        }
        if (c->act_at <= now) act(c);
        if (c->act_at < next) next = c->act_at;
    }
    return next < look_at ? look_at : next;
}
