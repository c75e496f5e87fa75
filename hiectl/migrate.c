/*
 * hiectl migrate: as the owner of the schema, for the role that the servers
 * connect as.
 */

#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include <apr_strings.h>

#include "hiectl/hiectl.h"
#include "store/store.h"


/* The user of a connection string, as libpq would take it. */
static const char *
role_of(ctl_t *ctl, const char *conninfo)
{
    const char         *role;
    PQconninfoOption   *all, *o;

    role = NULL;
    all = PQconninfoParse(conninfo, NULL);
    for (o = all; o != NULL && o->keyword != NULL; o++) {
        if (strcmp(o->keyword, "user") == 0 && o->val != NULL) {
            role = apr_pstrdup(ctl->pool, o->val);
        }
    }

    PQconninfoFree(all);
    return role;
}


int
ctl_migrate(ctl_t *ctl, int argc, char **argv)
{
    const char       *role;
    hie_error_t       err;
    hie_config_t     *conf;
    hie_migration_t   m;

    if (argc != 1) {
        return ctl_usage("'migrate' takes no arguments");
    }

    conf = ctl_config_load(ctl);
    if (conf == NULL) {
        return EXIT_FAILED;
    }

    if (conf->database.admin_conninfo == NULL) {
        fprintf(stderr, "hiectl: %s: database.admin_conninfo is missing: "
                "expected the connection of the schema's owner\n",
                ctl->config);
        return EXIT_FAILED;
    }

    role = role_of(ctl, conf->database.conninfo);
    if (role == NULL) {
        fprintf(stderr, "hiectl: %s: database.conninfo names no user: "
                "expected the role of the servers\n", ctl->config);
        return EXIT_FAILED;
    }

    if (hie_store_migrate(conf->database.admin_conninfo, role, conf->node,
                          ctl->pool, &m, &err) != HIE_OK)
    {
        return ctl_failed(&err);
    }

    if (ctl->json) {
        printf("{\"from\":%d,\"to\":%d,\"node\":\"%s\"}\n", m.from, m.to,
               conf->node);
    } else if (m.from == m.to) {
        printf("schema version %d: nothing to do\n", m.to);
    } else {
        printf("schema version %d, was %d\n", m.to, m.from);
    }

    return EXIT_DONE;
}
