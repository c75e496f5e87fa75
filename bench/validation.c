/*
 * What validation costs: NDJSON files, each line parsed and validated again
 * and again. By the CPU time of one thread.
 *
 *     validation SECONDS FILE...
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>

#include "validation/validation.h"

#define ROUNDS_LEAST  3

typedef struct {
    const char  *name;
    char        *bytes;
    size_t       len;
    long         resources;
    long         issues;
    double       parse;          /* seconds */
    double       validate;
} file_t;

static apr_pool_t       *pool;
static hie_validator_t  *validator;


static double
cpu(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);

    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


static void
die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}


static void
read_file(const char *path, file_t *f)
{
    FILE  *file = fopen(path, "rb");
    long   size = -1;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0
        || (size = ftell(file)) < 0)
    {
        die(path, "cannot be read");
    }

    rewind(file);
    f->name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    f->len = (size_t) size;
    f->bytes = malloc(f->len + 1);
    if (fread(f->bytes, 1, f->len, file) != f->len) {
        die(path, "cannot be read");
    }

    fclose(file);
}


static void
one(file_t *f, hie_str_t line, apr_pool_t *scratch)
{
    hie_issues_t   issues;
    hie_error_t    err;
    hie_doc_t     *d;
    double         start, parsed;

    start = cpu();
    if (hie_doc_parse(scratch, line, 200, &d, &err) != HIE_OK) {
        die(f->name, err.detail);
    }

    parsed = cpu();
    hie_validate(validator, d, 0, NULL, scratch, &issues, NULL);
    f->validate += cpu() - parsed;
    f->parse += parsed - start;
    f->issues += issues.n;
    f->resources++;
}


static void
round_of(file_t *f)
{
    hie_str_t    rest = { f->bytes, f->len }, line;
    apr_pool_t  *scratch = hie_pool_create(pool, "round");

    while (rest.ptr != NULL) {
        line = hie_str_split(rest, '\n', &rest);
        if (line.len > 0) {
            one(f, line, scratch);
            apr_pool_clear(scratch);
        }
    }

    apr_pool_destroy(scratch);
}


static void
row(const char *name, long resources, long issues, size_t bytes,
    double parse, double validate)
{
    printf("%-28s %8ld %8.0f %9.2f %9.2f %8ld\n", name, resources,
           (double) bytes / (double) resources,
           parse * 1e6 / (double) resources,
           validate * 1e6 / (double) resources, issues);
}


static void
report(file_t *files, int n, int rounds, double first)
{
    file_t  all = { .name = "all" };
    int     i;

    printf("%-28s %8s %8s %9s %9s %8s\n", "", "resources", "bytes",
           "parse us", "validate", "issues");

    for (i = 0; i < n; i++) {
        row(files[i].name, files[i].resources / rounds,
            files[i].issues / rounds, files[i].len,
            files[i].parse / rounds, files[i].validate / rounds);
        all.resources += files[i].resources;
        all.issues += files[i].issues;
        all.len += files[i].len;
        all.parse += files[i].parse;
        all.validate += files[i].validate;
    }

    row("all", all.resources / rounds, all.issues / rounds, all.len,
        all.parse / rounds, all.validate / rounds);
    printf("first round %.1f ms more: rules are compiled in it\n",
           first * 1e3 - (all.parse + all.validate) * 1e3 / rounds);
    printf("{\"bench\":\"validate\",\"resources_per_s\":%.0f,"
           "\"validate_only_per_s\":%.0f,\"bytes_per_s\":%.0f,"
           "\"resources\":%ld}\n",
           (double) all.resources / (all.parse + all.validate),
           (double) all.resources / all.validate,
           (double) all.len * rounds / (all.parse + all.validate),
           all.resources / rounds);
}


int
main(int argc, char **argv)
{
    file_t  *files;
    double   until, first;
    int      i, n = argc - 2, rounds = 0;

    if (argc < 3 || atoi(argv[1]) < 1) {
        die(argv[0], "SECONDS FILE...");
    }

    apr_initialize();
    pool = hie_pool_create(NULL, "bench");
    first = cpu();
    validator = hie_validator_create(pool, NULL);
    printf("a validator is made in %.0f us\n", (cpu() - first) * 1e6);

    files = calloc((size_t) n, sizeof(*files));
    for (i = 0; i < n; i++) {
        read_file(argv[i + 2], &files[i]);
    }

    first = cpu();
    for (i = 0; i < n; i++) {
        round_of(&files[i]);
        files[i].resources = files[i].issues = 0;
        files[i].parse = files[i].validate = 0;
    }

    first = cpu() - first;
    until = cpu() + atoi(argv[1]);
    do {
        for (i = 0; i < n; i++) {
            round_of(&files[i]);
        }
    } while (++rounds < ROUNDS_LEAST || cpu() < until);

    report(files, n, rounds, first);

    return 0;
}
