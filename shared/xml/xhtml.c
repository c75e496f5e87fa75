/*
 * Narrative (R4 section 2.4.0): "the basic html formatting elements and
 * attributes described in chapters 7-11 (except section 4 of chapter 9) and
 * 15 of the HTML 4.0 standard, <a> elements (either name or href), images and
 * internally contained style attributes". Of those chapters, not the elements
 * that HTML 4.0 deprecates, nor those of a whole document.
 */

#include "xml/private.h"

#include <stdio.h>
#include <string.h>

/* As deep as a narrative may be, whatever it is in. */
#define DEPTH_MAX  200

#define RULE_CONTENT  "txt-1"
#define RULE_EMPTY    "txt-2"

#define COMMON  " id class style title lang dir accesskey tabindex "
#define CELLS   " align char charoff valign bgcolor "
#define TD      CELLS "abbr axis headers scope rowspan colspan nowrap" \
                " width height "

typedef struct {
    hie_xml_sax_t  x;
    bool           judge;           /* against what is permitted */
    bool           content;         /* there is something to see */
    size_t         start;
    size_t         end;
} narrative_t;

typedef struct {
    const char  *name;
    const char  *attributes;        /* beside the common ones */
} element_t;

/* Sorted. */
static const element_t  elements[] = {
    { "a", " name href charset type hreflang rel rev shape coords " },
    { "abbr", "" },
    { "acronym", "" },
    { "address", "" },
    { "area", " shape coords href nohref alt " },
    { "b", "" },
    { "bdo", "" },
    { "big", "" },
    { "blockquote", " cite " },
    { "br", " clear " },
    { "caption", " align " },
    { "cite", "" },
    { "code", "" },
    { "col", CELLS "span width " },
    { "colgroup", CELLS "span width " },
    { "dd", "" },
    { "dfn", "" },
    { "div", " align " },
    { "dl", " compact " },
    { "dt", "" },
    { "em", "" },
    { "h1", " align " },
    { "h2", " align " },
    { "h3", " align " },
    { "h4", " align " },
    { "h5", " align " },
    { "h6", " align " },
    { "hr", " align noshade size width " },
    { "i", "" },
    { "img", " src alt longdesc name height width usemap ismap border align"
             " hspace vspace " },
    { "kbd", "" },
    { "li", " type value " },
    { "map", " name " },
    { "ol", " type start compact " },
    { "p", " align " },
    { "pre", " width " },
    { "q", " cite " },
    { "samp", "" },
    { "small", "" },
    { "span", "" },
    { "strong", "" },
    { "sub", "" },
    { "sup", "" },
    { "table", " summary width border frame rules cellspacing cellpadding"
               " align bgcolor " },
    { "tbody", CELLS },
    { "td", TD },
    { "tfoot", CELLS },
    { "th", TD },
    { "thead", CELLS },
    { "tr", CELLS },
    { "tt", "" },
    { "ul", " type compact " },
    { "var", "" }
};


static void
refuse(narrative_t *v, const char *rule, const char *what, const char *name,
       const char *of)
{
    hie_xml_refuse(&v->x, HIE_UNPROCESSABLE, v->judge ? rule : NULL, "",
                   "%s%s%.60s%s%.60s", what, name[0] != '\0' ? ": " : "",
                   name, of[0] != '\0' ? " of " : "", of);
}


/* A list has a blank before and after each name. */
static bool
in_list(const char *list, const char *name)
{
    size_t       len = strlen(name);
    const char  *p;

    for (p = list; len > 0 && (p = strstr(p, name)) != NULL; p++) {
        if (p > list && p[-1] == ' ' && p[len] == ' ') {
            return true;
        }
    }

    return false;
}


static const element_t *
find_element(const char *name)
{
    int     c;
    size_t  low = 0, high = sizeof(elements) / sizeof(elements[0]), mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        c = strcmp(name, elements[mid].name);
        if (c == 0) {
            return &elements[mid];
        }
        if (c < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }

    return NULL;
}


/* What a reader of the text would not see: a browser skips white space and
 * control characters in a scheme and in a style's functions. */
static size_t
squeeze(char *out, size_t size, hie_str_t in)
{
    size_t         i, n;
    unsigned char  c;

    for (i = 0, n = 0; i < in.len && n < size - 1; i++) {
        c = (unsigned char) in.ptr[i];
        if (c > ' ') {
            out[n++] = (char) (c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }

    out[n] = '\0';

    return n;
}


/* A link goes where its reader decides to follow, an image is loaded; neither
 * is anything that is executed. */
static bool
url_is_safe(bool image, hie_str_t url)
{
    char    start[64];
    size_t  n;

    squeeze(start, sizeof(start), url);
    n = strcspn(start, ":/?#");
    if (start[n] != ':') {
        return n < sizeof(start) - 1 || memchr(url.ptr, ':', url.len) == NULL;
    }

    if (image && strncmp(start, "data:image/", 11) == 0) {
        return true;
    }

    start[n] = '\0';

    return in_list(image ? " http https cid "
                         : " http https mailto tel sms ftp sftp urn cid geo ",
                   start);
}


/* Only what is inside of the attribute: no other sheet, no other file, no
 * program; and nothing that hides such (CSS 2.1 section 4.1.3, comments). */
static bool
style_is_safe(hie_str_t style)
{
    static const char *const  active[] = {
        "expression(", "javascript:", "vbscript:", "@import", "behavior:",
        "-moz-binding", "\\", "/*"
    };

    char         text[4096];
    size_t       i;
    const char  *p;

    if (style.len >= sizeof(text)) {
        return false;
    }

    squeeze(text, sizeof(text), style);

    for (i = 0; i < sizeof(active) / sizeof(active[0]); i++) {
        if (strstr(text, active[i]) != NULL) {
            return false;
        }
    }

    for (p = text; (p = strstr(p, "url(")) != NULL; ) {
        p += 4;
        p += *p == '"' || *p == '\'';
        if (*p != '#' && strncmp(p, "data:image/", 11) != 0) {
            return false;
        }
    }

    return true;
}


static void
judge_attribute(narrative_t *v, const element_t *e, const hie_xml_attr_t *a)
{
    hie_str_t    value = { (const char *) a->value,
                           (size_t) (a->end - a->value) };
    const char  *name = (const char *) a->name;

    if (a->prefix != NULL) {
        /* the prefix is xml */
        if (!in_list(" lang space ", name)) {
            refuse(v, RULE_CONTENT, "an attribute that narrative does not "
                   "have", name, e->name);
        }
        return;
    }

    if (!in_list(COMMON, name) && !in_list(e->attributes, name)) {
        refuse(v, RULE_CONTENT, "an attribute that narrative does not have",
               name, e->name);

    } else if (in_list(" href src cite longdesc usemap ", name)
               && !url_is_safe(strcmp(name, "src") == 0, value))
    {
        refuse(v, RULE_CONTENT, "an address that narrative does not have",
               name, e->name);

    } else if (strcmp(name, "style") == 0 && !style_is_safe(value)) {
        refuse(v, RULE_CONTENT, "a style that reaches outside", name,
               e->name);
    }
}


static void
judge(narrative_t *v, const char *name, const hie_xml_attr_t *a, int n)
{
    int               i;
    const element_t  *e = find_element(name);

    if (e == NULL) {
        refuse(v, RULE_CONTENT, "an element that narrative does not have",
               name, "");
        return;
    }

    v->content |= strcmp(name, "img") == 0;

    for (i = 0; i < n && v->x.err.rc == 0; i++) {
        judge_attribute(v, e, &a[i]);
    }
}


static void
on_start(void *baton, const xmlChar *local, const xmlChar *prefix,
         const xmlChar *uri, int n_ns, const xmlChar **ns, int n,
         int defaulted, const xmlChar **attrs)
{
    int                    i;
    narrative_t           *v = baton;
    const hie_xml_attr_t  *a = (const hie_xml_attr_t *) attrs;

    if (!hie_xml_enter(&v->x, n_ns)) {
        return;
    }

    if (v->x.depth == 1) {
        v->start = hie_xml_tag_start(&v->x);
        if (strcmp((const char *) local, "div") != 0) {
            refuse(v, RULE_CONTENT, "no div", (const char *) local, "");
            return;
        }
    }

    if (uri == NULL || strcmp((const char *) uri, HIE_XHTML_NS) != 0) {
        refuse(v, RULE_CONTENT, "an element outside of the namespace "
               HIE_XHTML_NS, (const char *) local, "");
        return;
    }

    for (i = 0; i < n; i++) {
        if (a[i].prefix != NULL
            && strcmp((const char *) a[i].prefix, "xml") != 0)
        {
            refuse(v, RULE_CONTENT, "an attribute of another namespace",
                   (const char *) a[i].name, (const char *) local);
            return;
        }
    }

    if (v->judge) {
        judge(v, (const char *) local, a, n);
    }
}


static void
on_end(void *baton, const xmlChar *local, const xmlChar *prefix,
       const xmlChar *uri)
{
    narrative_t  *v = baton;

    if (hie_xml_leave(&v->x) && v->x.depth == 0) {
        v->end = hie_xml_tag_end(&v->x);
    }
}


/* A no-break space (C2 A0) shows as little as a blank. */
static void
on_text(void *baton, const xmlChar *text, int len)
{
    int           i;
    narrative_t  *v = baton;

    for (i = 0; i < len && !v->content; i++) {
        if (text[i] == 0xc2 && i + 1 < len && text[i + 1] == 0xa0) {
            i++;
        } else if (text[i] > ' ') {
            v->content = true;
        }
    }
}


static void
on_instruction(void *baton, const xmlChar *target, const xmlChar *data)
{
    narrative_t  *v = baton;

    if (v->judge) {
        refuse(v, RULE_CONTENT, "a processing instruction",
               (const char *) target, "");
    }
}


static hie_rc_t
parse(narrative_t *v)
{
    static const xmlSAXHandler  handler = {
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
        .processingInstruction = on_instruction
    };

    hie_rc_t  rc;

    v->x.max_depth = DEPTH_MAX;
    v->x.bytes = hie_str_trim(v->x.bytes);

    rc = hie_xml_parse(&v->x, &handler);
    if (rc != HIE_OK) {
        return rc;
    }

    if (v->start != 0 || v->end != v->x.bytes.len) {
        return hie_fail(&v->x.err, HIE_UNPROCESSABLE, "", "something stands "
                        "before or behind the div");
    }

    return HIE_OK;
}


hie_rc_t
hie_xml_div(hie_str_t div, hie_str_t *out, hie_error_t *err)
{
    narrative_t  v = { .x = { .bytes = div } };

    if (parse(&v) != HIE_OK) {
        if (err != NULL) {
            *err = v.x.err;
        }
        return HIE_UNPROCESSABLE;
    }

    *out = v.x.bytes;

    return HIE_OK;
}


hie_rc_t
hie_xhtml_check(hie_str_t div, hie_error_t *err)
{
    bool         named;
    narrative_t  v = { .x = { .bytes = div }, .judge = true };

    if (parse(&v) != HIE_OK) {
        named = strncmp(v.x.err.detail, "txt-", 4) == 0;
        return hie_fail(err, HIE_UNPROCESSABLE, "", "%s%s",
                        named ? "" : RULE_CONTENT ": ", v.x.err.detail);
    }

    if (!v.content) {
        return hie_fail(err, HIE_UNPROCESSABLE, "", RULE_EMPTY ": there is "
                        "neither text nor an image in the narrative");
    }

    return HIE_OK;
}
