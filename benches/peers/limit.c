/* The limit: what plain C gets out of one core with one send() for each client and message.
 *
 * It answers every upgrade without looking at it, takes length-prefixed messages from the feed, and writes each as one
 * WebSocket text frame to every client. No limits, no control frames, no slow clients: nothing a server needs.
 *
 * usage: limit FEED_PORT; prints its own port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FILES (1 << 18)

static int clients[MAX_FILES], client_count;
static int place_of[MAX_FILES]; /* of a socket among the clients, plus one */
static char feed[1 << 22];
static size_t feed_len;

static int bound(int type, int port, int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, type, 0), on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (use(fd, (struct sockaddr *)&at, sizeof at)) {
        perror("limit");
        exit(1);
    }
    return fd;
}

static void leave(int fd) {
    if (place_of[fd]) {
        int place = place_of[fd] - 1;
        clients[place] = clients[--client_count];
        place_of[clients[place]] = place + 1;
        place_of[fd] = 0;
    }
    close(fd);
}

static void client_ready(int fd) {
    static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    char buffer[4096];
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) leave(fd);
        return;
    }
    if (place_of[fd]) return;
    clients[client_count++] = fd;
    place_of[fd] = client_count;
    send(fd, yes, sizeof yes - 1, MSG_NOSIGNAL);
}

static void broadcast(const char *payload, size_t len) {
    static char frame[70000];
    size_t head = len < 126 ? 2 : 4;
    frame[0] = (char)0x81;
    frame[1] = (char)(len < 126 ? len : 126);
    if (len >= 126) {
        frame[2] = (char)(len >> 8);
        frame[3] = (char)len;
    }
    memcpy(frame + head, payload, len);
    for (int i = 0; i < client_count; i++) send(clients[i], frame, head + len, MSG_NOSIGNAL);
}

static void feed_ready(int fd) {
    ssize_t n = recv(fd, feed + feed_len, sizeof feed - feed_len, 0);
    if (n == 0) exit(0);
    if (n < 0) return;
    feed_len += (size_t)n;
    size_t used = 0;
    for (uint32_t head[2]; feed_len - used >= sizeof head; used += sizeof head + head[0]) {
        memcpy(head, feed + used, sizeof head);
        if (feed_len - used < sizeof head + head[0]) break;
        broadcast(feed + used + sizeof head, head[0]);
    }
    memmove(feed, feed + used, feed_len - used);
    feed_len -= used;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int upstream = bound(SOCK_STREAM, atoi(argv[1]), connect);
    int listener = bound(SOCK_STREAM | SOCK_NONBLOCK, 0, bind), poll = epoll_create1(0);
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = upstream}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, upstream, &event);
    event.data.fd = listener;
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    listen(listener, 4096);
    getsockname(listener, (struct sockaddr *)&at, &len);
    send(upstream, "RAW\n", 4, 0);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd, on = 1;
            if (fd == upstream) {
                feed_ready(fd);
            } else if (fd != listener) {
                client_ready(fd);
            } else if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                event.data.fd = fd;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
