/*
 * cache: Redis. Never an authority: whatever is here can be lost, late or
 * wrong, and the exchange stays correct.
 */

#ifndef HIE_CACHE_H
#define HIE_CACHE_H

#include "base/base.h"

/* Is there a Redis at `url` (redis://host[:port], or unix:/path) that
 * answers within `timeout_ms`? `version` (may be NULL) in `pool`. */
HIE_BLOCKING hie_rc_t
hie_cache_ping(const char *url, int timeout_ms, apr_pool_t *pool,
               const char **version, hie_error_t *err);

#endif
