/*
 * How far resources have been indexed for the search parameters that are
 * stored.
 */

#include <stdio.h>

#include "hiectl/hiectl.h"
#include "store/store.h"


void
ctl_passes_text(const char *label, const hie_store_pass_t *passes, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        printf("%s%.*s: %d%%, %lld resources\n", label,
               HIE_PRISTR(passes[i].type),
               hie_store_pass_percent(&passes[i], passes[i].wanted),
               (long long) passes[i].rows);
    }
}


void
ctl_passes_json(hie_buf_t *b, const hie_store_pass_t *passes, int n)
{
    int                      i;
    const hie_store_pass_t  *p;

    hie_buf_addc(b, '[');
    for (i = 0; i < n; i++) {
        p = &passes[i];
        hie_buf_addf(b, "%s{\"type\":\"%.*s\",\"complete\":%s,"
                     "\"percent\":%d,\"resources\":%lld}", i > 0 ? "," : "",
                     HIE_PRISTR(p->type),
                     p->done >= p->wanted ? "true" : "false",
                     hie_store_pass_percent(p, p->wanted),
                     (long long) p->rows);
    }

    hie_buf_addc(b, ']');
}


int
ctl_passes(ctl_t *ctl)
{
    int                n;
    int64_t            generation;
    hie_rc_t           rc;
    hie_buf_t          b;
    hie_error_t        err;
    hie_store_t       *store;
    hie_config_t      *conf;
    hie_store_pass_t  *passes;

    conf = ctl_config_load(ctl);
    if (conf == NULL) {
        return EXIT_FAILED;
    }

    if (hie_store_open(ctl->pool, conf, &store, &err) != HIE_OK) {
        return ctl_failed(&err);
    }

    rc = hie_store_registry(store, true, ctl->pool, &generation, &passes, &n,
                            &err);
    hie_store_close(store);
    if (rc != HIE_OK) {
        return ctl_failed(&err);
    }

    if (ctl->json) {
        hie_buf_init(&b, ctl->pool, 1024);
        hie_buf_addf(&b, "{\"generation\":%lld,\"types\":",
                     (long long) generation);
        ctl_passes_json(&b, passes, n);
        hie_buf_addc(&b, '}');
        printf("%.*s\n", HIE_PRISTR(hie_buf_str(&b)));
    } else if (n == 0) {
        printf("there were no search parameters but R4's\n");
    } else {
        ctl_passes_text("", passes, n);
    }

    return EXIT_DONE;
}
