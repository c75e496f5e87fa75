/*
 * XML Patch (RFC 5261), on libxml2's tree. The xml room has looked at the
 * bytes before: no document type, and bounds on depth and attributes.
 */

#include "patch/selector.h"

#include <limits.h>
#include <string.h>

#include <apr_strings.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "xml/xml.h"

/* A node takes more than a hundred bytes, and may be four bytes of text. */
#define NODES_MAX  500000

typedef struct {
    xmlDocPtr                  doc;
    xmlDocPtr                  patch;
    const hie_patch_limits_t  *limits;
    size_t                     size;     /* of both, in bytes */
    size_t                     work;
    char                       where[32];
    apr_pool_t                *pool;
    hie_error_t               *err;
} state_t;

typedef hie_rc_t operation_fn(state_t *s, xmlNodePtr op, xmlNodePtr target);


static hie_rc_t
invalid(state_t *s, const char *why)
{
    return hie_fail(s->err, HIE_INVALID, s->where, "%s", why);
}


static hie_rc_t
refuse(state_t *s, const char *why)
{
    return hie_fail(s->err, HIE_UNPROCESSABLE, s->where, "%s", why);
}


static hie_rc_t
no_memory(state_t *s)
{
    return hie_fail(s->err, HIE_INTERNAL, s->where, "Out of memory.");
}


static hie_rc_t
parse(state_t *s, hie_str_t xml, xmlDocPtr *out)
{
    hie_rc_t  rc;
    size_t    i, nodes = 0;

    for (i = 0; i < xml.len; i++) {
        nodes += xml.ptr[i] == '<' || xml.ptr[i] == '=';
    }

    if (nodes > NODES_MAX || xml.len > INT_MAX) {
        return hie_fail(s->err, HIE_TOO_LARGE, "",
                        "XML: more than %d tags and attributes.", NODES_MAX);
    }

    rc = hie_xml_check(xml, s->limits->max_depth, s->err);

    if (rc != HIE_OK) {
        return rc;
    }

    *out = xmlReadMemory(xml.ptr, (int) xml.len, NULL, NULL,
                         XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOENT
                         | XML_PARSE_NOCDATA | XML_PARSE_NOERROR
                         | XML_PARSE_NOWARNING);

    return *out != NULL ? HIE_OK
                        : hie_fail(s->err, HIE_INVALID, "",
                                   "XML: not well-formed.");
}


static bool
is_blank(xmlNodePtr n)
{
    return n->type == XML_TEXT_NODE && xmlIsBlankNode(n);
}


/* NULL: it has no such attribute. In the pool of the call. */
static const char *
attribute(state_t *s, xmlNodePtr op, const char *name)
{
    xmlChar  *value = xmlGetNoNsProp(op, (const xmlChar *) name);
    char     *copy;

    if (value == NULL) {
        return NULL;
    }

    copy = apr_pstrdup(s->pool, (const char *) value);
    xmlFree(value);

    return copy;
}


static bool
is(const char *value, const char *z)
{
    return value != NULL && strcmp(value, z) == 0;
}


static void
ignore_error(void *baton, xmlErrorPtr error)
{
}


/* Prefixes of the operation, before those two that need no declaration. */
static xmlXPathContextPtr
xpath_context(state_t *s, xmlNodePtr op)
{
    xmlXPathContextPtr   ctxt = xmlXPathNewContext(s->doc);
    xmlNsPtr            *list = xmlGetNsList(s->patch, op), *ns;

    if (ctxt != NULL) {
        ctxt->error = ignore_error;
        xmlXPathRegisterNs(ctxt, BAD_CAST "f", BAD_CAST HIE_XML_NS);
        xmlXPathRegisterNs(ctxt, BAD_CAST "h", BAD_CAST HIE_XHTML_NS);

        for (ns = list; ns != NULL && *ns != NULL; ns++) {
            xmlXPathRegisterNs(ctxt,
                               (*ns)->prefix != NULL ? (*ns)->prefix
                               : BAD_CAST HIE_PATCH_DEFAULT_PREFIX,
                               (*ns)->href);
        }
    }

    xmlFree(list);

    return ctxt;
}


static hie_rc_t
select_node(state_t *s, xmlNodePtr op, const char *xpath, xmlNodePtr *out)
{
    xmlXPathContextPtr  ctxt = xpath_context(s, op);
    xmlXPathObjectPtr   found = NULL;
    int                 n = -1;

    *out = NULL;

    if (ctxt != NULL) {
        ctxt->node = (xmlNodePtr) s->doc;
        found = xmlXPathEvalExpression(BAD_CAST xpath, ctxt);
    }

    if (found != NULL && found->type == XPATH_NODESET) {
        n = xmlXPathNodeSetGetLength(found->nodesetval);
        *out = n == 1 ? xmlXPathNodeSetItem(found->nodesetval, 0) : NULL;
    }

    xmlXPathFreeObject(found);
    xmlXPathFreeContext(ctxt);

    if (n == 0) {
        return refuse(s, "The resource has nothing that the selector gives.");
    }

    if (n > 1) {
        return refuse(s, "The selector gives more than one node.");
    }

    /* of a prefix that is not declared */
    return n == 1 ? HIE_OK
                  : invalid(s, "The selector cannot be evaluated: is each of "
                            "its prefixes declared?");
}


static hie_rc_t
find_target(state_t *s, xmlNodePtr op, xmlNodePtr *out)
{
    const char  *sel = attribute(s, op, "sel");
    xmlNsPtr     ns = xmlSearchNs(s->patch, op, NULL);
    hie_buf_t    b;
    hie_rc_t     rc;
    size_t       costs;

    if (sel == NULL) {
        return invalid(s, "The operation has no attribute sel.");
    }

    hie_buf_init(&b, s->pool, 256);
    rc = hie_patch_selector(hie_str(sel), ns != NULL && *ns->href != '\0',
                            s->where, &b, &costs, s->err);

    if (rc != HIE_OK) {
        return rc;
    }

    if (costs * s->size > HIE_PATCH_WORK_MAX - s->work) {
        return hie_fail(s->err, HIE_TOO_COSTLY, s->where,
                        "The patch takes too much work for a resource of this "
                        "size.");
    }

    s->work += costs * s->size;

    return select_node(s, op, hie_str_z(s->pool, hie_buf_str(&b)), out);
}


/* Nodes are linked by hand: libxml2's functions merge texts at once, and what
 * follows would then come on the wrong side of them. */
static void
link_node(xmlNodePtr parent, xmlNodePtr previous, xmlNodePtr n)
{
    n->parent = parent;
    n->prev = previous;
    n->next = previous != NULL ? previous->next : parent->children;
    *(previous != NULL ? &previous->next : &parent->children) = n;
    *(n->next != NULL ? &n->next->prev : &parent->last) = n;
}


static void
merge_texts(xmlNodePtr parent)
{
    xmlNodePtr  n = parent->children;

    while (n != NULL) {
        if (n->type == XML_TEXT_NODE && n->next != NULL
            && n->next->type == XML_TEXT_NODE && n->name == n->next->name)
        {
            xmlTextMerge(n, n->next);

        } else {
            n = n->next;
        }
    }
}


/* Recursion is bounded by the depth of the patch. */
static void
change_namespace(xmlNodePtr n, xmlNsPtr from, xmlNsPtr to)
{
    xmlAttrPtr  a;

    if (n->type != XML_ELEMENT_NODE) {
        return;
    }

    n->ns = n->ns == from ? to : n->ns;

    for (a = n->properties; a != NULL; a = a->next) {
        a->ns = a->ns == from ? to : a->ns;
    }

    for (n = n->children; n != NULL; n = n->next) {
        change_namespace(n, from, to);
    }
}


/* A copy declares what its namespaces are; what is declared alike where it
 * goes need not be declared again. */
static void
drop_namespaces(state_t *s, xmlNodePtr copy, xmlNodePtr parent)
{
    xmlNsPtr  *at = &copy->nsDef, ns, outer;

    while ((ns = *at) != NULL) {
        outer = xmlSearchNs(s->doc, parent, ns->prefix);

        if (outer == NULL || !xmlStrEqual(outer->href, ns->href)) {
            at = &ns->next;
            continue;
        }

        change_namespace(copy, ns, outer);
        *at = ns->next;
        xmlFreeNs(ns);
    }
}


/* An element of no namespace stays so below a default namespace. */
static xmlNodePtr
copy_node(state_t *s, xmlNodePtr n, xmlNodePtr parent)
{
    xmlNodePtr  copy = xmlDocCopyNode(n, s->doc, 1);

    if (copy == NULL || copy->type != XML_ELEMENT_NODE
        || parent->type != XML_ELEMENT_NODE)
    {
        return copy;
    }

    if (copy->ns == NULL && xmlSearchNs(s->doc, parent, NULL) != NULL) {
        xmlNewNs(copy, BAD_CAST "", NULL);
    }

    drop_namespaces(s, copy, parent);

    return copy;
}


static hie_rc_t
add_nodes(state_t *s, xmlNodePtr op, xmlNodePtr parent, xmlNodePtr previous)
{
    xmlNodePtr  n, copy;

    for (n = op->children; n != NULL; n = n->next) {
        if (parent->type != XML_ELEMENT_NODE && n->type != XML_COMMENT_NODE
            && n->type != XML_PI_NODE)
        {
            if (is_blank(n)) {
                continue;
            }

            return refuse(s, "Beside the resource there are only comments and "
                          "processing instructions.");
        }

        copy = copy_node(s, n, parent);

        if (copy == NULL) {
            return no_memory(s);
        }

        link_node(parent, previous, copy);
        previous = copy;
    }

    merge_texts(parent);

    return HIE_OK;
}


/* The text of an operation whose content is text alone; NULL: it is not. */
static const xmlChar *
text_content(state_t *s, xmlNodePtr op)
{
    xmlChar     *value;
    const char  *copy;
    xmlNodePtr   n;

    for (n = op->children; n != NULL; n = n->next) {
        if (n->type != XML_TEXT_NODE) {
            return NULL;
        }
    }

    value = xmlNodeGetContent(op);
    copy = apr_pstrdup(s->pool, value != NULL ? (const char *) value : "");
    xmlFree(value);

    return BAD_CAST copy;
}


/* The namespace of a name with a prefix, declared in the resource too. False:
 * the prefix is not declared in the patch. */
static bool
find_namespace(state_t *s, xmlNodePtr op, xmlNodePtr target, hie_str_t prefix,
               xmlNsPtr *out)
{
    const xmlChar  *z = BAD_CAST hie_str_z(s->pool, prefix);
    xmlNsPtr        ns = xmlSearchNs(s->patch, op, z);

    if (ns == NULL) {
        return false;
    }

    *out = xmlSearchNs(s->doc, target, z);

    if (*out == NULL || !xmlStrEqual((*out)->href, ns->href)) {
        *out = xmlNewNs(target, ns->href, z);
    }

    return *out != NULL;
}


static hie_rc_t
add_attribute(state_t *s, xmlNodePtr op, xmlNodePtr target, const char *type)
{
    const xmlChar  *value = text_content(s, op), *name;
    hie_str_t       local, prefix = hie_str_split(hie_str(type), ':', &local);
    xmlNsPtr        ns = NULL;

    if (local.ptr == NULL) {
        local = prefix;

    } else if (!find_namespace(s, op, target, prefix, &ns)) {
        return invalid(s, "The prefix of the attribute is not declared, or "
                       "has another meaning here.");
    }

    name = BAD_CAST hie_str_z(s->pool, local);

    if (value == NULL || xmlValidateNCName(name, 0) != 0
        || xmlStrEqual(name, BAD_CAST "xmlns"))
    {
        return invalid(s, "An attribute is added by its name and a text.");
    }

    if (ns != NULL ? xmlHasNsProp(target, name, ns->href) != NULL
                   : xmlHasNsProp(target, name, NULL) != NULL)
    {
        return refuse(s, "The attribute to add is there already.");
    }

    return xmlNewNsProp(target, ns, name, value) != NULL ? HIE_OK
                                                         : no_memory(s);
}


static hie_rc_t
add_namespace(state_t *s, xmlNodePtr op, xmlNodePtr target, const char *prefix)
{
    const xmlChar  *value = text_content(s, op);
    xmlNsPtr        ns;

    if (value == NULL || *value == '\0'
        || xmlValidateNCName(BAD_CAST prefix, 0) != 0
        || strncmp(prefix, "xml", 3) == 0)
    {
        return invalid(s, "A namespace is added by a prefix and its URI.");
    }

    for (ns = target->nsDef; ns != NULL; ns = ns->next) {
        if (xmlStrEqual(ns->prefix, BAD_CAST prefix)) {
            return refuse(s, "The prefix to declare is there already.");
        }
    }

    return xmlNewNs(target, value, BAD_CAST prefix) != NULL ? HIE_OK
                                                            : no_memory(s);
}


/* RFC 5261 section 4.3. */
static hie_rc_t
add(state_t *s, xmlNodePtr op, xmlNodePtr target)
{
    const char  *type = attribute(s, op, "type");
    const char  *pos = attribute(s, op, "pos");

    if ((pos != NULL && type != NULL)
        || (pos != NULL && !is(pos, "prepend") && !is(pos, "before")
            && !is(pos, "after"))
        || (type != NULL && *type != '@'
            && strncmp(type, "namespace::", 11) != 0))
    {
        return invalid(s, "What is added has either a pos (prepend, before, "
                       "after) or a type (@name, namespace::prefix).");
    }

    if (is(pos, "before") || is(pos, "after")) {
        if (target->type == XML_ATTRIBUTE_NODE) {
            return refuse(s, "Nothing can be added beside an attribute.");
        }

        return add_nodes(s, op, target->parent,
                         is(pos, "before") ? target->prev : target);
    }

    if (target->type != XML_ELEMENT_NODE) {
        return refuse(s, "Something can be added to elements only.");
    }

    if (type != NULL) {
        return *type == '@' ? add_attribute(s, op, target, type + 1)
                            : add_namespace(s, op, target, type + 11);
    }

    return add_nodes(s, op, target, pos != NULL ? NULL : target->last);
}


/* The one node of the same kind that an operation has. */
static xmlNodePtr
only_child(xmlNodePtr op, xmlElementType type)
{
    xmlNodePtr  n, found = NULL;

    for (n = op->children; n != NULL; n = n->next) {
        if (is_blank(n)) {
            continue;
        }

        if (found != NULL || n->type != type) {
            return NULL;
        }

        found = n;
    }

    return found;
}


static hie_rc_t
replace_value(state_t *s, xmlNodePtr op, xmlNodePtr target)
{
    const xmlChar  *value = text_content(s, op);
    xmlNodePtr      parent = target->parent;

    if (value == NULL) {
        return invalid(s, "A text or an attribute is replaced by a text.");
    }

    if (target->type == XML_ATTRIBUTE_NODE) {
        return xmlSetNsProp(parent, target->ns, target->name, value) != NULL
               ? HIE_OK : no_memory(s);
    }

    /* no text is empty */
    if (*value == '\0') {
        xmlUnlinkNode(target);
        xmlFreeNode(target);

    } else {
        xmlNodeSetContent(target, NULL);
        xmlNodeAddContent(target, value);
    }

    return HIE_OK;
}


/* RFC 5261 section 4.4. */
static hie_rc_t
replace(state_t *s, xmlNodePtr op, xmlNodePtr target)
{
    xmlNodePtr  n, copy;

    if (target->type == XML_ATTRIBUTE_NODE || target->type == XML_TEXT_NODE) {
        return replace_value(s, op, target);
    }

    n = only_child(op, target->type);

    if (n == NULL) {
        return invalid(s, "A node is replaced by one node of the same kind.");
    }

    copy = copy_node(s, n, target->parent);

    if (copy == NULL) {
        return no_memory(s);
    }

    xmlReplaceNode(target, copy);
    xmlFreeNode(target);

    return HIE_OK;
}


static bool
remove_blank(xmlNodePtr n)
{
    if (n == NULL || !is_blank(n)) {
        return false;
    }

    xmlUnlinkNode(n);
    xmlFreeNode(n);

    return true;
}


/* RFC 5261 section 4.5. */
static hie_rc_t
remove_node(state_t *s, xmlNodePtr op, xmlNodePtr target)
{
    const char  *ws = attribute(s, op, "ws");
    xmlNodePtr   parent = target->parent;
    bool         both = is(ws, "both");

    if (ws != NULL && !both && !is(ws, "before") && !is(ws, "after")) {
        return invalid(s, "The attribute ws is before, after or both.");
    }

    if (target->type == XML_ATTRIBUTE_NODE) {
        if (ws != NULL) {
            return invalid(s, "An attribute has no white space beside it.");
        }

        xmlRemoveProp((xmlAttrPtr) target);
        return HIE_OK;
    }

    if (target->type == XML_ELEMENT_NODE && parent->type != XML_ELEMENT_NODE) {
        return refuse(s, "The whole resource cannot be removed by a patch.");
    }

    if (((both || is(ws, "before")) && !remove_blank(target->prev))
        || ((both || is(ws, "after")) && !remove_blank(target->next)))
    {
        return refuse(s, "There is no white space to remove.");
    }

    xmlUnlinkNode(target);
    xmlFreeNode(target);
    merge_texts(parent);

    return HIE_OK;
}


static operation_fn *
find_operation(xmlNodePtr op)
{
    static const struct {
        const char    *name;
        operation_fn  *fn;
    } operations[] = {
        { "add", add }, { "replace", replace }, { "remove", remove_node }
    };
    size_t  i;

    for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (xmlStrEqual(op->name, BAD_CAST operations[i].name)) {
            return operations[i].fn;
        }
    }

    return NULL;
}


static hie_rc_t
apply(state_t *s, xmlNodePtr op)
{
    operation_fn  *fn = NULL;
    xmlNodePtr     target;
    hie_rc_t       rc;

    if (op->type == XML_ELEMENT_NODE) {
        fn = find_operation(op);
    }

    if (fn == NULL) {
        return invalid(s, "The operations of an XML Patch are the elements "
                       "add, replace and remove.");
    }

    rc = find_target(s, op, &target);

    if (rc != HIE_OK) {
        return rc;
    }

    return fn(s, op, target);
}


static hie_rc_t
apply_all(state_t *s)
{
    xmlNodePtr  n = xmlDocGetRootElement(s->patch)->children;
    hie_rc_t    rc = HIE_OK;
    int         i = 0;

    for ( ; rc == HIE_OK && n != NULL; n = n->next) {
        if (is_blank(n) || n->type == XML_COMMENT_NODE
            || n->type == XML_PI_NODE)
        {
            continue;
        }

        if (i == s->limits->max_operations) {
            return hie_fail(s->err, HIE_TOO_LARGE, "",
                            "The patch has more than %d operations.", i);
        }

        apr_snprintf(s->where, sizeof(s->where), "operation[%d]", i++);
        rc = apply(s, n);
    }

    if (rc == HIE_OK && i == 0) {
        return hie_fail(s->err, HIE_INVALID, "",
                        "An XML Patch has at least one operation.");
    }

    return rc;
}


/* What comes out is looked at like what comes in. */
static hie_rc_t
write_result(state_t *s, hie_str_t *out)
{
    xmlChar    *text = NULL;
    hie_str_t   bytes;
    hie_rc_t    rc;
    int         size = 0;

    xmlDocDumpMemoryEnc(s->doc, &text, &size, "UTF-8");

    if (text == NULL) {
        return no_memory(s);
    }

    bytes = (hie_str_t) { (const char *) text, (size_t) size };
    rc = hie_xml_check(bytes, s->limits->max_depth, s->err);

    if (rc == HIE_OK && bytes.len > s->limits->max_bytes) {
        rc = hie_fail(s->err, HIE_TOO_LARGE, "",
                      "The resource would have more than %lu bytes.",
                      (unsigned long) s->limits->max_bytes);
    }

    if (rc == HIE_OK) {
        *out = hie_str_dup(s->pool, bytes);
    }

    xmlFree(text);

    return rc;
}


hie_rc_t
hie_patch_xml(hie_str_t xml, hie_str_t patch,
              const hie_patch_limits_t *limits, apr_pool_t *pool,
              hie_str_t *out, hie_error_t *err)
{
    state_t   s;
    hie_rc_t  rc;

    memset(&s, 0, sizeof(s));
    s.limits = limits != NULL ? limits : &hie_patch_limits;
    s.size = xml.len + patch.len;
    s.pool = pool;
    s.err = err;
    *out = HIE_STR_NONE;

    rc = parse(&s, xml, &s.doc);

    if (rc == HIE_OK) {
        rc = parse(&s, patch, &s.patch);
    }

    if (rc == HIE_OK) {
        rc = apply_all(&s);
    }

    if (rc == HIE_OK) {
        rc = write_result(&s, out);
    }

    xmlFreeDoc(s.doc);
    xmlFreeDoc(s.patch);
    xmlResetLastError();

    return rc;
}
