/*
 * Redis, by hiredis: is it there?
 */

#include "cache/cache.h"

#include <string.h>

#include <apr_strings.h>
#include <hiredis/hiredis.h>


#define DEFAULT_PORT  6379

typedef struct {
    const char  *path;     /* of a socket, or NULL */
    const char  *host;
    int          port;
    uint64_t     db;
} address_t;


static hie_rc_t
bad_url(hie_error_t *err)
{
    return hie_fail(err, HIE_INVALID, "redis.url",
                    "expected redis://host[:port][/db] or unix:/path");
}


/* host, host:port, [v6] or [v6]:port. */
static bool
parse_authority(hie_str_t text, apr_pool_t *pool, address_t *out)
{
    hie_str_t  host, port;
    uint64_t   number = DEFAULT_PORT;

    if (hie_str_starts(text, "[")) {
        text.ptr++;
        text.len--;
        host = hie_str_split(text, ']', &port);
        if (port.ptr == NULL || (port.len > 0 && port.ptr[0] != ':')) {
            return false;
        }
        if (port.len > 0) {
            port.ptr++;
            port.len--;
        } else {
            port.ptr = NULL;
        }
    } else {
        host = hie_str_split(text, ':', &port);
    }

    if (host.len == 0) {
        return false;
    }
    if (port.ptr != NULL
        && (!hie_str_u64(port, &number) || number < 1 || number > 65535))
    {
        return false;
    }
    out->host = hie_str_z(pool, host);
    out->port = (int) number;
    return true;
}


static bool
parse_url(const char *url, apr_pool_t *pool, address_t *out)
{
    static const char  tcp[] = "redis://";
    static const char  local[] = "unix:";
    hie_str_t          db;
    hie_str_t          text = hie_str(url);

    memset(out, 0, sizeof(*out));

    if (hie_str_starts(text, local)) {
        out->path = url + sizeof(local) - 1;
        return out->path[0] == '/';
    }
    if (!hie_str_starts(text, tcp)) {
        return false;
    }
    text.ptr += sizeof(tcp) - 1;
    text.len -= sizeof(tcp) - 1;

    text = hie_str_split(text, '/', &db);
    if (db.ptr != NULL && db.len > 0 && !hie_str_u64(db, &out->db)) {
        return false;
    }
    return parse_authority(text, pool, out);
}


static hie_rc_t
no_answer(const redisContext *c, hie_error_t *err)
{
    const char  *why = c != NULL && c->err != 0 ? c->errstr : "no answer";

    hie_log(HIE_LOG_INFO, "HIE3101", "no answer from Redis: %s", why);
    return hie_fail(err, HIE_UNAVAILABLE, "", "Redis does not answer");
}


/* The value of a line "key:value" of an INFO section. */
static const char *
info_value(const char *info, const char *key, apr_pool_t *pool)
{
    const char  *at = strstr(info, key);
    size_t       len = strlen(key);

    if (at == NULL || at[len] != ':') {
        return "";
    }
    at += len + 1;
    return apr_pstrmemdup(pool, at, strcspn(at, "\r\n"));
}


static hie_rc_t
ask_version(redisContext *c, apr_pool_t *pool, const char **version,
            hie_error_t *err)
{
    redisReply  *reply = redisCommand(c, "INFO server");

    if (reply == NULL) {
        return no_answer(c, err);
    }
    /* A server may refuse INFO and still be a good cache. */
    *version = reply->type == REDIS_REPLY_STRING
               ? info_value(reply->str, "redis_version", pool) : "";
    freeReplyObject(reply);
    return HIE_OK;
}


static hie_rc_t
ask(redisContext *c, const address_t *a, apr_pool_t *pool,
    const char **version, hie_error_t *err)
{
    redisReply  *reply;
    bool         good;

    reply = a->db == 0 ? redisCommand(c, "PING")
                       : redisCommand(c, "SELECT %llu",
                                      (unsigned long long) a->db);
    if (reply == NULL) {
        return no_answer(c, err);
    }
    good = reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    if (!good) {
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "Redis refuses the connection");
    }
    return version != NULL ? ask_version(c, pool, version, err) : HIE_OK;
}


hie_rc_t
hie_cache_ping(const char *url, int timeout_ms, apr_pool_t *pool,
               const char **version, hie_error_t *err)
{
    struct timeval   timeout = {
        timeout_ms / 1000, (timeout_ms % 1000) * 1000
    };
    redisContext    *c;
    address_t        a;
    hie_rc_t         rc;

    HIE_ASSERT_MAY_BLOCK();

    if (version != NULL) {
        *version = NULL;
    }
    if (!parse_url(url, pool, &a)) {
        return bad_url(err);
    }

    c = a.path != NULL
        ? redisConnectUnixWithTimeout(a.path, timeout)
        : redisConnectWithTimeout(a.host, a.port, timeout);
    if (c == NULL || c->err != 0 || redisSetTimeout(c, timeout) != REDIS_OK) {
        rc = no_answer(c, err);
    } else {
        rc = ask(c, &a, pool, version, err);
    }

    if (c != NULL) {
        redisFree(c);
    }
    return rc;
}
