/*
 * The functions of the language, for the table of them.
 */

#ifndef HIE_FHIRPATH_CALLS_H
#define HIE_FHIRPATH_CALLS_H

#include "fhirpath/private.h"

extern fp_call_t
    hie_fp_call_abs, hie_fp_call_aggregate, hie_fp_call_all,
    hie_fp_call_allFalse, hie_fp_call_allTrue, hie_fp_call_anyFalse,
    hie_fp_call_anyTrue, hie_fp_call_as, hie_fp_call_ceiling,
    hie_fp_call_children, hie_fp_call_combine, hie_fp_call_conformsTo,
    hie_fp_call_contains, hie_fp_call_convertsToBoolean,
    hie_fp_call_convertsToDate, hie_fp_call_convertsToDateTime,
    hie_fp_call_convertsToDecimal, hie_fp_call_convertsToInteger,
    hie_fp_call_convertsToQuantity, hie_fp_call_convertsToString,
    hie_fp_call_convertsToTime, hie_fp_call_count, hie_fp_call_decode,
    hie_fp_call_descendants, hie_fp_call_distinct, hie_fp_call_empty,
    hie_fp_call_encode, hie_fp_call_endsWith, hie_fp_call_escape,
    hie_fp_call_exclude, hie_fp_call_exists, hie_fp_call_exp,
    hie_fp_call_extension, hie_fp_call_first, hie_fp_call_floor,
    hie_fp_call_getValue, hie_fp_call_hasExtension, hie_fp_call_hasValue,
    hie_fp_call_highBoundary, hie_fp_call_htmlChecks, hie_fp_call_iif,
    hie_fp_call_indexOf, hie_fp_call_intersect, hie_fp_call_is,
    hie_fp_call_isDistinct, hie_fp_call_join, hie_fp_call_last,
    hie_fp_call_lastIndexOf, hie_fp_call_length, hie_fp_call_ln,
    hie_fp_call_log, hie_fp_call_lowBoundary, hie_fp_call_lower,
    hie_fp_call_matches, hie_fp_call_matchesFull, hie_fp_call_memberOf,
    hie_fp_call_not, hie_fp_call_now, hie_fp_call_ofType, hie_fp_call_power,
    hie_fp_call_precision, hie_fp_call_repeat, hie_fp_call_replace,
    hie_fp_call_replaceMatches, hie_fp_call_resolve, hie_fp_call_round,
    hie_fp_call_select, hie_fp_call_single, hie_fp_call_skip, hie_fp_call_sort,
    hie_fp_call_split, hie_fp_call_sqrt, hie_fp_call_startsWith,
    hie_fp_call_subsetOf, hie_fp_call_substring, hie_fp_call_subsumedBy,
    hie_fp_call_subsumes, hie_fp_call_supersetOf, hie_fp_call_tail,
    hie_fp_call_take, hie_fp_call_timeOfDay, hie_fp_call_toBoolean,
    hie_fp_call_toChars, hie_fp_call_toDate, hie_fp_call_toDateTime,
    hie_fp_call_toDecimal, hie_fp_call_toInteger, hie_fp_call_toQuantity,
    hie_fp_call_toString, hie_fp_call_toTime, hie_fp_call_today,
    hie_fp_call_trace, hie_fp_call_trim, hie_fp_call_truncate,
    hie_fp_call_type, hie_fp_call_unescape, hie_fp_call_union,
    hie_fp_call_upper, hie_fp_call_where;

#endif
