/*
 * The command line: options that all commands share, and the commands.
 */

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "exchange/exchange.h"
#include "hiectl/hiectl.h"

#define DEFAULT_CONFIG  "/etc/hie/hie.yaml"

typedef struct {
    const char  *name;
    int        (*run)(ctl_t *ctl, int argc, char **argv);
    const char  *arguments;
    const char  *help;
} command_t;

static const command_t commands[] = {
    { "migrate", ctl_migrate, "",
      "bring the database to this version, and make this node's schema" },
    { "config", ctl_config, "check",
      "check hie.yaml and the keys it names" },
    { "load", ctl_load, "[--again] [--no-validation] FILE...",
      "load transaction and collection Bundles (JSON) and NDJSON" },
    { "reindex", ctl_reindex,
      "[--type TYPE] [--param CODE] [--base URL] [--again] [--progress]",
      "make again what resources are found by, beside everything else" },
    { "reindex", ctl_reindex, "--pending [--progress] | --status",
      "the same for search parameters that are stored; how far it is" },
    { "token", ctl_token,
      "[--subject S] [--scope S] [--organization O]... [--expires SECONDS]",
      "sign an access token with the key of access.sign" },
    { "status", ctl_status, "",
      "ask database and cache how they are, and count" },
    { "validate", ctl_validate,
      "[--profile PATH]... [--as CANONICAL]... [--best-practice] FILE...",
      "check resources (JSON, XML, NDJSON) against FHIR R4 and profiles" },
    { "worker", ctl_worker, "",
      "do the node's background work until a signal comes" },
    { "fhirpath", ctl_fhirpath, "EXPRESSION FILE",
      "evaluate FHIRPath on a resource, an item a line, as JSON" },
    { NULL, NULL, NULL, NULL }
};

static _Atomic bool  stop;


static void
help(FILE *out)
{
    const command_t  *c;

    fprintf(out,
            "Usage: hiectl [OPTION]... COMMAND [ARGUMENT]...\n"
            "Health information exchange: operation from a command line.\n"
            "\n"
            "Options:\n"
            "  -c, --config FILE  the configuration (default: $HIE_CONFIG, "
            "else\n"
            "                     " DEFAULT_CONFIG ")\n"
            "      --json         data as JSON on standard output\n"
            "      --help         this text\n"
            "      --version      the version\n"
            "\n"
            "Commands:\n");

    for (c = commands; c->name != NULL; c++) {
        fprintf(out, "  %s %s\n        %s\n", c->name, c->arguments,
                c->help);
    }

    fprintf(out, "\nExit code: 0 done, 1 failed, 2 the call is wrong.\n");
}


int
ctl_usage(const char *fmt, ...)
{
    va_list  args;

    fputs("hiectl: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputs("\nTry 'hiectl --help'.\n", stderr);
    return EXIT_USAGE;
}


int
ctl_failed(const hie_error_t *err)
{
    if (err->where[0] != '\0') {
        fprintf(stderr, "hiectl: %s: %s\n", err->where, err->detail);
    } else {
        fprintf(stderr, "hiectl: %s\n", err->detail);
    }

    return EXIT_FAILED;
}


hie_config_t *
ctl_config_load(ctl_t *ctl)
{
    hie_error_t    err;
    hie_config_t  *conf;

    if (hie_config_load(ctl->config, ctl->pool, &conf, &err) != HIE_OK) {
        ctl_failed(&err);
        return NULL;
    }

    return conf;
}


int
ctl_config(ctl_t *ctl, int argc, char **argv)
{
    hie_error_t  err;

    if (argc != 2 || strcmp(argv[1], "check") != 0) {
        return ctl_usage("expected 'config check'");
    }

    if (hie_runtime_check(ctl->config, ctl->pool, &err) != HIE_OK) {
        return ctl_failed(&err);
    }

    printf("%s is in order\n", ctl->config);
    return EXIT_DONE;
}


static void
on_signal(int signo)
{
    stop = true;
}


int
ctl_worker(ctl_t *ctl, int argc, char **argv)
{
    int             code;
    hie_error_t     err;
    hie_runtime_t  *rt;

    if (argc != 1) {
        return ctl_usage("'worker' takes no arguments");
    }

    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);

    if (hie_runtime_acquire(ctl->config, HIE_RUNTIME_TOOL, 0, &rt, &err)
        != HIE_OK)
    {
        return ctl_failed(&err);
    }

    code = EXIT_DONE;
    if (hie_worker_run(rt, &stop, &err) != HIE_OK) {
        code = ctl_failed(&err);
    }

    hie_runtime_release(rt);
    return code;
}


static int
run(ctl_t *ctl, int argc, char **argv)
{
    const command_t  *c;

    if (argc == 0) {
        return ctl_usage("a command is missing");
    }

    for (c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, argv[0]) == 0) {
            return c->run(ctl, argc, argv);
        }
    }

    return ctl_usage("'%s' is no command", argv[0]);
}


enum { OPT_JSON = 256, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "json", no_argument, NULL, OPT_JSON },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 }
};


/* --json is understood after the command's name too. */
static void
take_json(ctl_t *ctl, int *argc, char **argv)
{
    int  i, n;

    for (i = 1, n = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            ctl->json = true;
        } else {
            argv[n++] = argv[i];
        }
    }

    if (*argc > 0) {
        *argc = n;
        argv[n] = NULL;
    }
}


int
main(int argc, char **argv)
{
    int    c, code, n;
    ctl_t  ctl;

    memset(&ctl, 0, sizeof(ctl));
    ctl.config = getenv("HIE_CONFIG");
    if (ctl.config == NULL) {
        ctl.config = DEFAULT_CONFIG;
    }

    /* '+': the options end at the command's name. */
    while ((c = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            ctl.config = optarg;
            break;

        case OPT_JSON:
            ctl.json = true;
            break;

        case OPT_HELP:
        case 'h':
            help(stdout);
            return EXIT_DONE;

        case OPT_VERSION:
            printf("hiectl 0.1.0\n");
            return EXIT_DONE;

        default:
            return ctl_usage("an option is wrong");
        }
    }

    n = argc - optind;
    if (n > 1 && strcmp(argv[optind + 1], "--help") == 0) {
        help(stdout);
        return EXIT_DONE;
    }

    apr_initialize();
    ctl.pool = hie_pool_create(NULL, "hiectl");
    take_json(&ctl, &n, argv + optind);
    code = run(&ctl, n, argv + optind);
    apr_pool_destroy(ctl.pool);
    apr_terminate();

    if (fflush(stdout) != 0) {
        perror("hiectl: standard output");
        return EXIT_FAILED;
    }

    return code;
}
