/*
 * cache: what is no address, and what does not answer.
 */

#include "cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <cmocka.h>


static apr_pool_t  *pool;


static void
test_bad_url(void **state)
{
    static const char *const  urls[] = {
        "", "redis://", "redis://:6379", "redis://h:0", "redis://h:65536",
        "redis://h:6379x", "redis://h/db", "redis://[::1", "redis://[::1]x",
        "http://h", "unix:", "unix:relative"
    };
    const char  *version = "x";
    hie_error_t  err;
    size_t       i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_int_equal(hie_cache_ping(urls[i], 50, pool, &version, &err),
                         HIE_INVALID);
        assert_null(version);
    }
}


static void
test_nobody(void **state)
{
    assert_int_equal(hie_cache_ping("unix:/nonexistent/socket", 50, pool,
                                    NULL, NULL), HIE_UNAVAILABLE);
}


typedef struct {
    char                 dir[32];
    struct sockaddr_un   addr;
    int                  fd;
    const char          *url;
} listener_t;

static void
listen_on(listener_t *l)
{
    apr_cpystrn(l->dir, "/tmp/hie_test_XXXXXX", sizeof(l->dir));
    assert_non_null(mkdtemp(l->dir));
    memset(&l->addr, 0, sizeof(l->addr));
    l->addr.sun_family = AF_UNIX;
    apr_snprintf(l->addr.sun_path, sizeof(l->addr.sun_path), "%s/r", l->dir);
    l->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *) &l->addr,
                          sizeof(l->addr)), 0);
    assert_int_equal(listen(l->fd, 5), 0);
    l->url = apr_pstrcat(pool, "unix:", l->addr.sun_path, NULL);
}


static void
unlisten(listener_t *l)
{
    close(l->fd);
    unlink(l->addr.sun_path);
    rmdir(l->dir);
}


static void
test_silence(void **state)
{
    listener_t  l;
    apr_time_t  start;

    listen_on(&l);
    start = apr_time_now();
    assert_int_equal(hie_cache_ping(l.url, 100, pool, NULL, NULL),
                     HIE_UNAVAILABLE);
    assert_in_range(apr_time_now() - start, 80000, 2000000);
    unlisten(&l);
}


/* Answers two commands with the bytes given. */
static void
answer(void *baton)
{
    void       **arg = baton;
    listener_t  *l = arg[0];
    const char  *text = arg[1];
    char         buf[256];
    int          fd = accept(l->fd, NULL, NULL);
    int          i;

    for (i = 0; i < 2 && read(fd, buf, sizeof(buf)) > 0; i++) {
        if (write(fd, text, strcspn(text, "|")) < 0) {
            break;
        }
        text = strchr(text, '|') != NULL ? strchr(text, '|') + 1 : text;
    }
    close(fd);
}


static hie_rc_t
ping_answered(const char *text, const char **version)
{
    listener_t     l;
    void          *arg[] = { &l, (void *) text };
    hie_thread_t  *t;
    hie_rc_t       rc;

    listen_on(&l);
    assert_int_equal(hie_thread_start(pool, "redis", answer, arg, &t, NULL),
                     HIE_OK);
    rc = hie_cache_ping(l.url, 1000, pool, version, NULL);
    hie_thread_join(t);
    unlisten(&l);
    return rc;
}


static void
test_answers(void **state)
{
    const char  *version;

    assert_int_equal(ping_answered("+PONG\r\n|$37\r\n# Server\r\n"
                                   "redis_version:7.0.15\r\na:b\r\n\r\n",
                                   &version), HIE_OK);
    assert_string_equal(version, "7.0.15");
    assert_int_equal(ping_answered("+PONG\r\n|-NOPERM\r\n", &version),
                     HIE_OK);
    assert_string_equal(version, "");
    assert_int_equal(ping_answered("-NOAUTH\r\n", &version),
                     HIE_UNAVAILABLE);
    assert_int_equal(ping_answered("garbage\r\n", &version),
                     HIE_UNAVAILABLE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bad_url), cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_silence), cmocka_unit_test(test_answers)
    };
    int  rc;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return rc;
}
