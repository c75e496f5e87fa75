/*
 * Random bytes, ULIDs and the 64-bit hash.
 */

#include "base/private.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/random.h>


void
hie_random(void *ptr, size_t len)
{
    char     *p = ptr;
    ssize_t   n;

    while (len > 0) {
        n = getrandom(p, len, 0);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            abort();
        }
        p += n;
        len -= (size_t) n;
    }
}


/*
 * The last ULID of this process. A fork copies it, and two processes that
 * counted on from the same value would hand out the same ids: so it knows
 * whose it is.
 */
static struct {
    pthread_mutex_t  mutex;
    pid_t            pid;
    uint64_t         ms;
    uint16_t         high;      /* the 80 random bits */
    uint64_t         low;
} ulid_last = { .mutex = PTHREAD_MUTEX_INITIALIZER };


static void
ulid_next(uint64_t *ms, uint16_t *high, uint64_t *low)
{
    uint64_t  now = (uint64_t) apr_time_as_msec(apr_time_now());
    pid_t     pid = getpid();

    pthread_mutex_lock(&ulid_last.mutex);

    /* A clock that was set back does not make the ids descend. */
    if (now > ulid_last.ms || pid != ulid_last.pid) {
        if (now > ulid_last.ms) {
            ulid_last.ms = now;
        }
        ulid_last.pid = pid;
        hie_random(&ulid_last.high, sizeof(ulid_last.high));
        hie_random(&ulid_last.low, sizeof(ulid_last.low));

    } else if (++ulid_last.low == 0 && ++ulid_last.high == 0) {
        ulid_last.ms++;
    }

    *ms = ulid_last.ms;
    *high = ulid_last.high;
    *low = ulid_last.low;

    pthread_mutex_unlock(&ulid_last.mutex);
}


void
hie_ulid(char out[HIE_ULID_LEN + 1])
{
    static const char  alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t           ms, low, top;
    uint16_t           high;
    int                i;

    ulid_next(&ms, &high, &low);

    for (i = 9; i >= 0; i--, ms >>= 5) {
        out[i] = alphabet[ms & 31];
    }

    /* Eight characters each: the upper and the lower 40 of the 80 bits. */
    top = (uint64_t) high << 24 | low >> 40;
    for (i = 17; i >= 10; i--, top >>= 5) {
        out[i] = alphabet[top & 31];
    }
    for (i = 25; i >= 18; i--, low >>= 5) {
        out[i] = alphabet[low & 31];
    }
    out[HIE_ULID_LEN] = '\0';
}


/*
 * SipHash-2-4, fed in pieces. The key is an arbitrary constant: the hash
 * finds rows, it does not authenticate them.
 */
#define SIP_KEY0  0x6569682d68617368ULL
#define SIP_KEY1  0x76312d6b65792d31ULL

/* Ends a part; not a byte of UTF-8, so that parts cannot run together. */
#define PART_END  "\xff"

typedef struct {
    uint64_t  v[4];
    uint64_t  tail;     /* bytes that do not fill a word yet */
    size_t    len;
} sip_t;


static uint64_t
rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}


static void
sip_rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
    }
}


static void
sip_word(sip_t *s, uint64_t word)
{
    s->v[3] ^= word;
    sip_rounds(s->v, 2);
    s->v[0] ^= word;
}


static void
sip_init(sip_t *s, uint64_t key0, uint64_t key1)
{
    s->v[0] = key0 ^ 0x736f6d6570736575ULL;
    s->v[1] = key1 ^ 0x646f72616e646f6dULL;
    s->v[2] = key0 ^ 0x6c7967656e657261ULL;
    s->v[3] = key1 ^ 0x7465646279746573ULL;
    s->tail = 0;
    s->len = 0;
}


static void
sip_update(sip_t *s, const void *ptr, size_t len)
{
    const unsigned char  *p = ptr;
    size_t                i;
    int                   shift;
    uint64_t              word;

    /* eight bytes at a time, at whatever place of a word they begin */
    shift = (int) (s->len % 8 * 8);
    for (i = 0; len - i >= 8; i += 8) {
        memcpy(&word, p + i, 8);
        word = le64toh(word);
        sip_word(s, s->tail | word << shift);
        s->tail = shift > 0 ? word >> (64 - shift) : 0;
        s->len += 8;
    }

    for ( ; i < len; i++) {
        s->tail |= (uint64_t) p[i] << (s->len % 8 * 8);
        if (++s->len % 8 == 0) {
            sip_word(s, s->tail);
            s->tail = 0;
        }
    }
}


static uint64_t
sip_final(sip_t *s)
{
    sip_word(s, s->tail | (uint64_t) s->len << 56);
    s->v[2] ^= 0xff;
    sip_rounds(s->v, 4);

    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}


uint64_t
hie_siphash(uint64_t key0, uint64_t key1, const void *ptr, size_t len)
{
    sip_t  s;

    sip_init(&s, key0, key1);
    sip_update(&s, ptr, len);

    return sip_final(&s);
}


uint64_t
hie_hash64(const void *ptr, size_t len)
{
    return hie_siphash(SIP_KEY0, SIP_KEY1, ptr, len);
}


uint64_t
hie_hash64_parts(const hie_str_t *parts, size_t n)
{
    sip_t   s;
    size_t  i;

    sip_init(&s, SIP_KEY0, SIP_KEY1);
    for (i = 0; i < n; i++) {
        sip_update(&s, parts[i].ptr, parts[i].len);
        sip_update(&s, PART_END, 1);
    }
    return sip_final(&s);
}
