/* The loop, and the commands that drive it. See load.h for what this program is. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 256

int epoll_fd;
bool measuring;
int64_t measure_from;

static enum { IDLE_COMMAND, CONNECTING_COMMAND, SETTLING, MEASURING, DRAINING } doing;
static struct group *joining_group;
static int64_t until, drain_us, measured_until;
static double seconds;
static uint64_t made_before, late_us;
static int64_t cpu_before, cpu_spent, own_before, own_spent;
static size_t backlog_after;

void watch(struct source *s, uint32_t events, bool is_new) {
    struct epoll_event event = {.events = events, .data.ptr = s};
    if (epoll_ctl(epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &event)) die("epoll");
}

void unwatch(struct source *s) { epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL); }

/* --- the server's processes, as the kernel tells of them --- */

static int64_t cpu_us(void) {
    int64_t sum = 0;
    for (int i = 0; i < target.pid_count; i++) {
        char path[64], text[1024] = "";
        unsigned long long user = 0, system = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", target.pids[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        if (fgets(text, sizeof text, file) && strrchr(text, ')')) {
            sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
            sum += (int64_t)(user + system) * (MICRO_S / sysconf(_SC_CLK_TCK));
        }
        fclose(file);
    }
    return sum;
}

static int64_t own_cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * MICRO_S + t.tv_nsec / 1000;
}

/* --- answers --- */

static void tell_group(struct bytes *out, const struct group *g) {
    bytes_print(out,
                "\"%s\":{\"live\":%d,\"failed\":%d,\"lost\":%d,\"reads\":%llu,\"frames\":%llu,\"quotes\":%llu,"
                "\"bytes\":%llu,\"total_quotes\":%llu,\"skipped\":%llu,\"gap_records\":%llu,\"reordered\":%llu,"
                "\"torn\":%llu,\"unknown\":%llu,\"errors\":%llu,\"behind\":%llu,\"unannounced\":%llu,",
                g->name, g->live, g->failed, g->lost, (unsigned long long)g->reads, (unsigned long long)g->frames,
                (unsigned long long)g->quotes, (unsigned long long)g->bytes, (unsigned long long)g->total_quotes,
                (unsigned long long)g->skipped, (unsigned long long)g->gap_records, (unsigned long long)g->reordered,
                (unsigned long long)g->torn, (unsigned long long)g->unknown, (unsigned long long)g->errors,
                (unsigned long long)check_behind(g), (unsigned long long)check_unannounced(g));
    bytes_print(out, "\"closes\":{");
    for (int i = 0; i < 8 && g->closes[i]; i++)
        bytes_print(out, "%s\"%d\":%llu", i ? "," : "", g->close_codes[i], (unsigned long long)g->closes[i]);
    bytes_print(out, "},\"last_error\":\"");
    for (const char *at = g->last_error; *at; at++)
        if (*at >= ' ' && *at != '"' && *at != '\\') bytes_add(out, at, 1);
    bytes_print(out, "\",");
    hist_print(out, "latency_us", &g->latency);
    bytes_print(out, ",");
    hist_print(out, "joining_us", &g->joining);
    bytes_print(out, "}");
}

static void tell_groups(struct bytes *out) {
    bytes_print(out, "\"groups\":{");
    for (int i = 0; i < group_count; i++) {
        if (i) bytes_print(out, ",");
        tell_group(out, &groups[i]);
    }
    bytes_print(out, "}");
}

static void tell_run(void) {
    struct bytes out = {0};
    double took = (double)(measured_until - measure_from) / 1e6;
    bytes_print(&out,
                "{\"seconds\":%.6f,\"made\":%llu,\"max_late_us\":%llu,\"held_s\":%.4f,\"backlog\":%zu,\"server_cpu\":%.4f,"
                "\"own_cpu\":%.4f,\"drain_s\":%.3f,",
                took, (unsigned long long)made_before, (unsigned long long)late_us, (double)feed.held / 1e6, backlog_after,
                (double)cpu_spent / 1e6 / took, (double)own_spent / 1e6 / took,
                (double)(now_us() - measured_until) / 1e6);
    tell_groups(&out);
    say("%.*s}", (int)out.len, out.at);
    bytes_free(&out);
}

/* --- commands --- */

static void do_server(const struct args *a) {
    snprintf(target.host, sizeof target.host, "%s", arg(a, "host", "127.0.0.1"));
    snprintf(target.path, sizeof target.path, "%s", arg(a, "path", "/ws"));
    snprintf(target.token, sizeof target.token, "%s", arg(a, "token", ""));
    target.port = (int)arg_int(a, "port", 0);
    target.raw = arg_int(a, "raw", 0);
    target.spin = arg_int(a, "spin", target.spin);
    target.sources = (int)arg_int(a, "sources", 1);
    target.pid_count = 0;
    for (const char *at = arg(a, "pids", ""); *at && target.pid_count < 16; at += strspn(at, ",")) {
        target.pids[target.pid_count++] = atoi(at);
        at += strcspn(at, ",");
    }
    say("{}");
}

static enum kind kind_named(const char *name) {
    static const char *const names[] = {"normal", "idle", "stalled", "loris", "flood", "subscriber_bomb",
                                        "compression_bomb"};
    for (int i = 0; i < 7; i++)
        if (!strcmp(names[i], name)) return (enum kind)i;
    return NORMAL;
}

static void do_connect(const struct args *a) {
    struct group *g = group_named(arg(a, "group", "all"), true);
    g->kind = kind_named(arg(a, "kind", "normal"));
    g->wanted = g->started + (int)arg_int(a, "n", 1);
    g->concurrency = (int)arg_int(a, "concurrency", 128);
    g->symbols = (int)arg_int(a, "symbols", 0);
    g->of = (int)arg_int(a, "of", symbol_count);
    g->first = (int)arg_int(a, "first", 0);
    g->pick = strdup(arg(a, "pick", "random"));
    g->seed = (uint64_t)arg_int(a, "seed", 1);
    g->counts = arg_int(a, "counts", 0);
    snprintf(g->extra, sizeof g->extra, "%s", arg(a, "extra", ""));
    memset(&g->joining, 0, sizeof g->joining);
    g->begun = now_us();
    g->all_live = 0;
    joining_group = g;
    doing = CONNECTING_COMMAND;
    until = now_us() + arg_int(a, "timeout", 60) * MICRO_S;
    cpu_before = cpu_us();
    group_fill(g);
}

static void clear_counts(void) {
    for (int i = 0; i < group_count; i++) {
        struct group *g = &groups[i];
        g->reads = g->frames = g->quotes = g->bytes = 0;
        memset(&g->latency, 0, sizeof g->latency);
    }
}

static void do_run(const struct args *a) {
    int receivers = 0;
    for (int i = 0; i < group_count; i++)
        if (groups[i].counts) receivers += groups[i].live;
    feed.rate = atof(arg(a, "rate", "1000"));
    feed.depth = (int)arg_int(a, "depth", 0);
    feed.first = (int)arg_int(a, "first", 0);
    feed.width = (int)arg_int(a, "width", symbol_count);
    feed.per_frame = (int)arg_int(a, "frame", 20);
    feed.tick = arg_int(a, "tick", 1000);
    feed.raw_full = arg_int(a, "full", 0);
    feed_expect((uint32_t)receivers);
    seconds = atof(arg(a, "seconds", "3"));
    drain_us = (int64_t)(atof(arg(a, "drain", "20")) * 1e6);
    until = now_us() + (int64_t)(atof(arg(a, "settle", "1")) * 1e6);
    doing = SETTLING;
    clear_counts();
    if (feed.rate > 0 || feed.depth) feed_start();
}

/* Stalled clients read again, and are judged like all others from here on. */
static void do_wake(struct group *g) {
    if (g) g->kind = NORMAL;
    for (int i = 0; g && i < conn_count; i++)
        if (conns[i]->group == g && conns[i]->state == LIVE) watch(&conns[i]->source, EPOLLIN, false);
    say("{}");
}

static void do_status(void) {
    struct bytes out = {0};
    bytes_print(&out, "{\"streams\":%d,", broker_stream_count());
    tell_groups(&out);
    say("%.*s}", (int)out.len, out.at);
    bytes_free(&out);
}

static void obey(char *line) {
    struct args a = {0};
    char *save = NULL, *verb = strtok_r(line, " \n", &save);
    if (!verb) return;
    for (char *word; a.n < 32 && (word = strtok_r(NULL, " \n", &save));) {
        char *sign = strchr(word, '=');
        if (!sign) continue;
        *sign = 0;
        a.key[a.n] = word;
        a.value[a.n++] = sign + 1;
    }
    if (!strcmp(verb, "server")) do_server(&a);
    else if (!strcmp(verb, "connect")) do_connect(&a);
    else if (!strcmp(verb, "run")) do_run(&a);
    else if (!strcmp(verb, "status")) do_status();
    else if (!strcmp(verb, "close")) {
        struct group *g = group_named(arg(&a, "group", "all"), false);
        if (g) group_close(g);
        say("{}");
    } else if (!strcmp(verb, "wake")) {
        do_wake(group_named(arg(&a, "group", "all"), false));
    } else if (!strcmp(verb, "quit")) exit(0);
    else say("{\"error\":\"no such verb\"}");
}

static struct bytes text; /* commands that came */

static void stdin_ready(struct source *self, uint32_t events) {
    char buffer[8192];
    (void)events;
    ssize_t n = read(self->fd, buffer, sizeof buffer);
    if (n <= 0) exit(0); /* whoever drives this is gone */
    bytes_add(&text, buffer, (size_t)n);
}

/* Not while events are handled: a command may close connections that have events waiting. */
static void obey_all(void) {
    if (!text.len) return;
    for (char *end; (end = memchr(text.at, '\n', text.len)) != NULL;) {
        size_t len = (size_t)(end - text.at) + 1;
        *end = 0;
        obey(text.at);
        memmove(text.at, text.at + len, text.len - len);
        text.len -= len;
    }
}

/* --- the phases of a command --- */

static bool is_drained(void) {
    for (int i = 0; i < group_count; i++)
        if (groups[i].kind == NORMAL && check_behind(&groups[i])) return false;
    return true;
}

static void step(int64_t now) {
    static int64_t looked;
    switch (doing) {
    case CONNECTING_COMMAND:
        if (!joining_group->all_live && now < until &&
            joining_group->live + joining_group->failed + joining_group->lost < joining_group->wanted &&
            joining_group->kind < LORIS)
            return;
        doing = IDLE_COMMAND;
        cpu_spent = cpu_us() - cpu_before;
        {
            struct bytes out = {0};
            double took = (double)((joining_group->all_live ? joining_group->all_live : now) - joining_group->begun) / 1e6;
            bytes_print(&out, "{\"seconds\":%.6f,\"server_cpu\":%.4f,", took, (double)cpu_spent / 1e6 / took);
            tell_groups(&out);
            say("%.*s}", (int)out.len, out.at);
            bytes_free(&out);
        }
        return;
    case SETTLING:
        if (now < until) return;
        doing = MEASURING;
        measuring = true;
        measure_from = now;
        until = now + (int64_t)(seconds * 1e6);
        made_before = feed.made;
        feed.max_late = feed.held = 0;
        cpu_before = cpu_us();
        own_before = own_cpu_us();
        return;
    case MEASURING:
        if (now < until) return;
        doing = DRAINING;
        feed.on = false;
        measured_until = now;
        made_before = feed.made - made_before;
        late_us = (uint64_t)feed.max_late;
        cpu_spent = cpu_us() - cpu_before;
        own_spent = own_cpu_us() - own_before;
        backlog_after = broker_backlog();
        until = now + drain_us;
        looked = now;
        return;
    case DRAINING:
        if (now < until && (now - looked < 20000 || (looked = now, !is_drained()))) return;
        measuring = false;
        doing = IDLE_COMMAND;
        tell_run();
        return;
    case IDLE_COMMAND:
        return;
    }
}

static int wait_ms(int64_t now, int64_t hostile_at) {
    int64_t next = feed_next_us();
    if (hostile_at < next) next = hostile_at;
    if (doing != IDLE_COMMAND && now + 5000 < next) next = now + 5000;
    if (doing != IDLE_COMMAND && target.spin) return 0;
    if (next == INT64_MAX) return -1;
    return next <= now ? 0 : (int)(next - now);
}

int main(int argc, char **argv) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    feed_setup(argc > 1 ? atoi(argv[1]) : 1000);
    int port = broker_listen(0);
    struct source input = {stdin_ready, 0};
    watch(&input, EPOLLIN, true);
    say("{\"port\":%d,\"files\":%llu}", port, (unsigned long long)files.rlim_cur);
    for (struct epoll_event events[MAX_EVENTS];;) {
        int64_t now = now_us(), hostile_at = hostile_pump(now);
        int us = wait_ms(now, hostile_at);
        struct timespec wait = {us / 1000000, (us % 1000000) * 1000};
        int n = epoll_pwait2(epoll_fd, events, MAX_EVENTS, us < 0 ? NULL : &wait, NULL);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct source *s = events[i].data.ptr;
            s->ready(s, events[i].events);
            feed_pump();
        }
        broker_bury();
        obey_all();
        feed_pump();
        step(now_us());
    }
}
