/* WebSocket frames (RFC 6455) and the little HTTP that precedes them. */
#include "load.h"

#include <string.h>
#include <strings.h>

bool ws_read(char *at, size_t len, struct frame *out) {
    if (len < 2) return false;
    const unsigned char *head = (const unsigned char *)at;
    size_t size = head[1] & 127, taken = 2;
    if (size == 126) {
        if (len < 4) return false;
        size = (size_t)head[2] << 8 | head[3];
        taken = 4;
    } else if (size == 127) {
        if (len < 10) return false;
        size = 0;
        for (int i = 2; i < 10; i++) size = size << 8 | head[i];
        taken = 10;
    }
    const unsigned char *mask = head[1] & 128 ? head + taken : NULL;
    if (mask) taken += 4;
    if (len < taken + size) return false;
    out->opcode = head[0] & 15;
    out->reserved = (head[0] & 0x70) != 0;
    out->payload = at + taken;
    out->len = size;
    out->total = taken + size;
    if (mask && (mask[0] | mask[1] | mask[2] | mask[3]))
        for (size_t i = 0; i < size; i++) out->payload[i] ^= (char)mask[i & 3];
    return true;
}

void ws_header(struct bytes *b, int opcode, size_t len, bool masked) {
    unsigned char head[14];
    size_t used = 2;
    head[0] = (unsigned char)(0x80 | opcode);
    if (len < 126) {
        head[1] = (unsigned char)len;
    } else if (len < 65536) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        used = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++) head[2 + i] = (unsigned char)(len >> (56 - 8 * i));
        used = 10;
    }
    if (masked) {
        head[1] |= 128;
        memset(head + used, 0, 4);
        used += 4;
    }
    bytes_add(b, head, used);
}

static uint32_t rotate(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void sha1_block(uint32_t h[5], const unsigned char *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
        else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
        else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
        else f = b ^ c ^ d, k = 0xca62c1d6;
        uint32_t t = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

void ws_accept_key(const char *key, size_t len, char out[29]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char text[128] = {0}, digest[21] = {0};
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    if (len > 40) len = 40;
    memcpy(text, key, len);
    memcpy(text + len, guid, sizeof guid - 1);
    size_t size = len + sizeof guid - 1;
    text[size] = 0x80;
    size_t blocks = size + 9 > 64 ? 2 : 1;
    for (int i = 0; i < 8; i++) text[blocks * 64 - 1 - (size_t)i] = (unsigned char)((uint64_t)size * 8 >> (8 * i));
    for (size_t i = 0; i < blocks; i++) sha1_block(h, text + 64 * i);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0; i < 7; i++) {
        uint32_t three = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++) out[4 * i + j] = digits[three >> (18 - 6 * j) & 63];
    }
    out[27] = '='; /* 20 bytes leave one place over */
    out[28] = 0;
}

const char *http_header(const char *head, const char *name, size_t *len) {
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) || line[2 + size] != ':') continue;
        const char *from = line + 3 + size;
        while (*from == ' ') from++;
        *len = (size_t)(strstr(from, "\r\n") - from);
        return from;
    }
    return NULL;
}
