/*
 * hiectl load: files one after the other, with a progress bar on a terminal.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange/exchange.h"
#include "hiectl/hiectl.h"

#define BAR  30

typedef struct {
    const char  *path;
    int          file;           /* from 1 */
    int          files;
    bool         terminal;
    bool         again;
    bool         unchecked;
    int          shown;          /* permille, so that it is not drawn in vain */
} bar_t;


static void
progress(void *baton, int64_t done, int64_t total)
{
    int     permille, i;
    bar_t  *bar = baton;

    if (!bar->terminal || total == 0) {
        return;
    }

    permille = (int) (done * 1000 / total);
    if (permille == bar->shown) {
        return;
    }

    bar->shown = permille;
    fprintf(stderr, "\r\033[K[%d/%d] [", bar->file, bar->files);
    for (i = 0; i < BAR; i++) {
        fputc(i < permille * BAR / 1000 ? '#' : '.', stderr);
    }

    fprintf(stderr, "] %3d%% %s", permille / 10, bar->path);
    fflush(stderr);
}


static int
load_one(hie_runtime_t *rt, bar_t *bar, int64_t *resources, int *skipped)
{
    hie_rc_t           rc;
    hie_error_t        err;
    hie_load_result_t  result;

    bar->shown = -1;
    rc = hie_load_file(rt, bar->path, bar->again, bar->unchecked, progress, bar,
                       &result, &err);
    if (bar->terminal) {
        fprintf(stderr, "\r\033[K");
    }

    *resources += result.resources;
    *skipped += result.skipped;
    if (rc == HIE_OK) {
        return EXIT_DONE;
    }

    fprintf(stderr, "hiectl: %s: ", bar->path);
    if (err.where[0] != '\0' && strcmp(err.where, bar->path) != 0) {
        fprintf(stderr, "%s: ", err.where);
    }

    fprintf(stderr, "%s\n", err.detail);
    return EXIT_FAILED;
}


int
ctl_load(ctl_t *ctl, int argc, char **argv)
{
    int             i, code, skipped, failed;
    bar_t           bar;
    int64_t         resources;
    hie_error_t     err;
    hie_runtime_t  *rt;

    memset(&bar, 0, sizeof(bar));
    for (argc--, argv++; argc > 0; argc--, argv++) {
        if (strcmp(argv[0], "--again") == 0) {
            bar.again = true;
        } else if (strcmp(argv[0], "--no-validation") == 0) {
            bar.unchecked = true;
        } else {
            break;
        }
    }

    if (argc == 0) {
        return ctl_usage("'load' expects at least one file");
    }

    if (argv[0][0] == '-') {
        return ctl_usage("'%s' is no option of 'load'", argv[0]);
    }

    if (hie_runtime_acquire(ctl->config, HIE_RUNTIME_TOOL, 0, &rt, &err)
        != HIE_OK)
    {
        return ctl_failed(&err);
    }

    resources = 0;
    skipped = 0;
    failed = 0;
    bar.terminal = isatty(STDERR_FILENO) && !ctl->json;
    bar.files = argc;

    for (i = 0; i < argc; i++) {
        bar.path = argv[i];
        bar.file = i + 1;
        failed += load_one(rt, &bar, &resources, &skipped)
                  != EXIT_DONE;
    }

    code = failed > 0 ? EXIT_FAILED : EXIT_DONE;
    hie_runtime_release(rt);

    if (ctl->json) {
        printf("{\"files\":%d,\"skipped\":%d,\"failed\":%d,\"resources\":"
               "%lld}\n", argc, skipped, failed, (long long) resources);
    } else {
        printf("%lld resources from %d files, %d loaded before, %d failed\n",
               (long long) resources, argc - skipped - failed, skipped,
               failed);
    }

    return code;
}
