/*
 * hiectl status: how database and cache are, and how much there is.
 */

#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "hiectl/hiectl.h"
#include "store/store.h"

typedef struct {
    bool                database;
    bool                counted;
    bool                cache;
    const char         *cache_version;
    hie_error_t         database_error;
    hie_error_t         cache_error;
    hie_store_status_t  counts;
    int                 n_passes;
    hie_store_pass_t   *passes;      /* that have not ended */
} status_t;


static hie_rc_t
ask_database(ctl_t *ctl, const hie_config_t *conf, status_t *s)
{
    hie_rc_t      rc;
    int64_t       generation;
    hie_store_t  *store;

    rc = hie_store_open(ctl->pool, conf, &store, &s->database_error);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_ping(store, &s->database_error);
    if (rc == HIE_OK) {
        s->database = true;
        rc = hie_store_status(store, conf->node, &s->counts,
                              &s->database_error);
        if (rc == HIE_OK) {
            rc = hie_store_registry(store, false, ctl->pool, &generation,
                                    &s->passes, &s->n_passes,
                                    &s->database_error);
        }

        s->counted = (rc == HIE_OK);
    }

    hie_store_close(store);
    return rc;
}


static void
print_text(const hie_config_t *conf, const status_t *s)
{
    printf("node          %s\n", conf->node);
    printf("database      %s\n", s->database ? "answers"
                                             : s->database_error.detail);
    if (s->counted) {
        printf("schema        %d\n", s->counts.schema);
        printf("resources     %lld\n", (long long) s->counts.resources);
        printf("old versions  %lld\n", (long long) s->counts.versions);
        printf("audit records %lld, %lld of them without an outcome\n",
               (long long) s->counts.audit, (long long) s->counts.audit_open);
        printf("dead letters  %lld\n", (long long) s->counts.dead_letters);
        ctl_passes_text("being indexed ", s->passes, s->n_passes);
    }

    if (conf->redis.url == NULL) {
        printf("redis         not configured\n");
    } else if (s->cache) {
        printf("redis         answers, version %s\n", s->cache_version);
    } else {
        printf("redis         %s\n", s->cache_error.detail);
    }
}


static void
print_json(ctl_t *ctl, const hie_config_t *conf, const status_t *s)
{
    hie_buf_t  b;

    hie_buf_init(&b, ctl->pool, 512);
    hie_buf_addf(&b, "{\"node\":\"%s\",\"database\":{\"answers\":%s",
                 conf->node, s->database ? "true" : "false");
    if (!s->counted) {
        hie_buf_addz(&b, ",\"error\":");
        hie_buf_add_json(&b, hie_str(s->database_error.detail));
    } else {
        hie_buf_addf(&b, ",\"schema\":%d,\"resources\":%lld,\"versions\":"
                     "%lld,\"audit\":%lld,\"audit_open\":%lld,"
                     "\"dead_letters\":%lld,\"indexing\":", s->counts.schema,
                     (long long) s->counts.resources,
                     (long long) s->counts.versions,
                     (long long) s->counts.audit,
                     (long long) s->counts.audit_open,
                     (long long) s->counts.dead_letters);
        ctl_passes_json(&b, s->passes, s->n_passes);
    }

    hie_buf_addf(&b, "},\"redis\":{\"configured\":%s,\"answers\":%s}}",
                 conf->redis.url != NULL ? "true" : "false",
                 s->cache ? "true" : "false");
    printf("%.*s\n", HIE_PRISTR(hie_buf_str(&b)));
}


int
ctl_status(ctl_t *ctl, int argc, char **argv)
{
    bool           well;
    status_t       s;
    hie_config_t  *conf;

    if (argc != 1) {
        return ctl_usage("'status' takes no arguments");
    }

    conf = ctl_config_load(ctl);
    if (conf == NULL) {
        return EXIT_FAILED;
    }

    memset(&s, 0, sizeof(s));
    ask_database(ctl, conf, &s);
    if (conf->redis.url != NULL) {
        s.cache = hie_cache_ping(conf->redis.url, conf->redis.timeout,
                                 ctl->pool, &s.cache_version,
                                 &s.cache_error) == HIE_OK;
    }

    if (ctl->json) {
        print_json(ctl, conf, &s);
    } else {
        print_text(conf, &s);
    }

    well = s.counted && (conf->redis.url == NULL || s.cache);
    return well ? EXIT_DONE : EXIT_FAILED;
}
