/*
 * XML of any kind, for what then reads it with libxml2 in its own way.
 */

#include "xml/private.h"

#include <string.h>


static void
on_start(void *baton, const xmlChar *name, const xmlChar *prefix,
         const xmlChar *uri, int n_namespaces, const xmlChar **namespaces,
         int n_attributes, int n_defaulted, const xmlChar **attributes)
{
    hie_xml_enter(baton, n_namespaces);
}


static void
on_end(void *baton, const xmlChar *name, const xmlChar *prefix,
       const xmlChar *uri)
{
    hie_xml_leave(baton);
}


hie_rc_t
hie_xml_check(hie_str_t xml, int max_depth, hie_error_t *err)
{
    static const xmlSAXHandler  handler = {
        .startElementNs = on_start,
        .endElementNs = on_end
    };

    hie_xml_sax_t  x;
    hie_rc_t       rc;

    memset(&x, 0, sizeof(x));
    x.bytes = xml;
    x.max_depth = max_depth;
    rc = hie_xml_parse(&x, &handler);

    if (rc != HIE_OK && err != NULL) {
        *err = x.err;
    }

    return rc;
}
