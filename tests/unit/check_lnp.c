/* SPDX-License-Identifier: Apache-2.0
 * Units of wire/lnp: portability parameters are read strictly and written in one form. */
#include "wire/lnp.h"

#include <criterion/criterion.h>

Test(lnp, read_and_written) {
  static const struct {
    const char *params, *want;
  } rows[] = {
      {"", ""},
      {"npdi", ";npdi"},
      {"npdi;rn=+12065550100", ";npdi;rn=+12065550100"},
      {"rn=+1-206.555(0100);NPDI;cic=+1-0288", ";npdi;rn=+12065550100;cic=+10288"},
      {"cic=0288;cic-context=+1;phone-context=example.com", ";cic=0288"},
      {"rn=D1AB", ";rn=D1AB"},
      {"rn=", ""},
      {"rn=+", ""},
      {"rn=12x4;npdi", ";npdi"},
      {"rn=1+2", ""},
      {"rn=12345678901234567890123456789012", ""},
      {"rn=1234567890123456789012345678901", ";rn=1234567890123456789012345678901"},
      {";;;=;rn", ""},
      {"rn=1>@evil", ""},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct lnp l;
    char text[LNP_TEXT_BYTES];
    lnp_read(&l, slice_of(rows[i].params));
    cr_assert_str_eq(lnp_write(&l, text), rows[i].want, "row %zu: %s", i, text);
  }
}
