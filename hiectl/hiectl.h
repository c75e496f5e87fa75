/*
 * hiectl: the exchange from a command line. One function a command; each
 * takes the arguments that follow its name and returns the exit code.
 */

#ifndef HIECTL_H
#define HIECTL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/config.h"
#include "store/store.h"

/* Exit codes: 0 it was done; 1 it failed; 2 the call is wrong. */
#define EXIT_DONE    0
#define EXIT_FAILED  1
#define EXIT_USAGE   2

typedef struct {
    apr_pool_t  *pool;
    const char  *config;         /* path of hie.yaml */
    bool         json;           /* data as JSON on standard output */
} ctl_t;

int
ctl_migrate(ctl_t *ctl, int argc, char **argv);
int
ctl_config(ctl_t *ctl, int argc, char **argv);
int
ctl_load(ctl_t *ctl, int argc, char **argv);
int
ctl_reindex(ctl_t *ctl, int argc, char **argv);
int
ctl_token(ctl_t *ctl, int argc, char **argv);
int
ctl_status(ctl_t *ctl, int argc, char **argv);
int
ctl_validate(ctl_t *ctl, int argc, char **argv);
int
ctl_worker(ctl_t *ctl, int argc, char **argv);
int
ctl_fhirpath(ctl_t *ctl, int argc, char **argv);

/* passes.c: how far resources have been indexed for the search parameters that
 * are stored: a type a line, behind `label`; a JSON array. */
void
ctl_passes_text(const char *label, const hie_store_pass_t *passes, int n);
void
ctl_passes_json(hie_buf_t *b, const hie_store_pass_t *passes, int n);
/* hiectl reindex --status. */
int
ctl_passes(ctl_t *ctl);

/* Says on standard error what went wrong, and where. Returns EXIT_FAILED. */
int
ctl_failed(const hie_error_t *err);
/* The call is wrong: says so and points to --help. Returns EXIT_USAGE. */
int
ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Reads the configuration, or says what is wrong with it: then NULL. */
hie_config_t *
ctl_config_load(ctl_t *ctl);

#endif
