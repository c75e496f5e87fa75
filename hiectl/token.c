/*
 * hiectl token: an access token on standard output.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

#include "access/access.h"
#include "hiectl/hiectl.h"

#define MAX_SECONDS  (366 * 24 * 3600)

static const struct option options[] = {
    { "subject", required_argument, NULL, 's' },
    { "scope", required_argument, NULL, 'p' },
    { "organization", required_argument, NULL, 'o' },
    { "expires", required_argument, NULL, 'e' },
    { NULL, 0, NULL, 0 }
};


/* EXIT_DONE: the request is filled in. */
static int
take_options(ctl_t *ctl, int argc, char **argv, hie_token_request_t *req)
{
    int                  c;
    uint64_t             seconds;
    apr_array_header_t  *organizations;

    organizations = apr_array_make(ctl->pool, 2, sizeof(const char *));
    optind = 0;                  /* begins anew after the common options */
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 's':
            req->subject = optarg;
            break;

        case 'p':
            req->scope = optarg;
            break;

        case 'o':
            APR_ARRAY_PUSH(organizations, const char *) = optarg;
            break;

        case 'e':
            if (!hie_str_u64(hie_str(optarg), &seconds) || seconds == 0
                || seconds > MAX_SECONDS)
            {
                return ctl_usage("--expires: expected 1 to %d seconds",
                                 MAX_SECONDS);
            }

            req->seconds = (int) seconds;
            break;

        default:
            return ctl_usage("an option of 'token' is wrong");
        }
    }

    if (optind != argc) {
        return ctl_usage("'token' takes options only");
    }

    req->organizations = (const char **) organizations->elts;
    req->n_organizations = organizations->nelts;
    return EXIT_DONE;
}


int
ctl_token(ctl_t *ctl, int argc, char **argv)
{
    int                   code;
    const char           *token;
    hie_error_t           err;
    hie_config_t         *conf;
    hie_token_request_t   req;

    memset(&req, 0, sizeof(req));
    req.subject = "hiectl";
    req.scope = "system/*.rs";
    req.seconds = 3600;

    code = take_options(ctl, argc, argv, &req);
    if (code != EXIT_DONE) {
        return code;
    }

    conf = ctl_config_load(ctl);
    if (conf == NULL) {
        return EXIT_FAILED;
    }

    if (hie_access_mint(conf, &req, apr_time_now(), ctl->pool, &token, &err)
        != HIE_OK)
    {
        return ctl_failed(&err);
    }

    if (ctl->json) {
        printf("{\"access_token\":\"%s\",\"token_type\":\"Bearer\","
               "\"expires_in\":%d}\n", token, req.seconds);
    } else {
        printf("%s\n", token);
    }

    return EXIT_DONE;
}
