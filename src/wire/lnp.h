/* SPDX-License-Identifier: Apache-2.0
 * Number portability in a URI's user part: npdi (the database was asked), rn (the routing number that it
 * gave), cic (the carrier that is to be taken). Pure. RFC 4694. */
#pragma once
#include "base/text.h"

enum { LNP_NUMBER_BYTES = 32, LNP_TEXT_BYTES = 80 };

struct lnp {
  bool npdi;
  char rn[LNP_NUMBER_BYTES],
      cic[LNP_NUMBER_BYTES]; /* with their +, without visual separators; "": none */
};

/* Of what follows the number, ";npdi;rn=+12065550100;…"; parameters of other kinds, contexts too, are
 * passed over, and so is a number with other characters than + and hexadecimal digits. */
void lnp_read(struct lnp *ret, struct slice params);
/* ";npdi;rn=…;cic=…", "" for nothing. */
char *lnp_write(const struct lnp *l, char dst[LNP_TEXT_BYTES]);
