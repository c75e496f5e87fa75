/*
 * The version of the library that is loaded.
 */

#include "base/base.h"


int
hie_abi_version(void)
{
    return HIE_ABI_VERSION;
}
