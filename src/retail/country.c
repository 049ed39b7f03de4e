#include "retail/country.h"

#include "base/attributes.h"

static const struct {
  const char *name, *code;
} countries[] = {
    {"United Kingdom", "GB"},
    {"Germany", "DE"},
    {"France", "FR"},
    {"EIRE", "IE"},
    {"Spain", "ES"},
    {"Netherlands", "NL"},
    {"Belgium", "BE"},
    {"Switzerland", "CH"},
    {"Portugal", "PT"},
    {"Australia", "AU"},
    {"Norway", "NO"},
    {"Italy", "IT"},
    {"Channel Islands", "JE"}, /* Jersey, the larger one: the islands share no code */
    {"Finland", "FI"},
    {"Cyprus", "CY"},
    {"Sweden", "SE"},
    {"Austria", "AT"},
    {"Denmark", "DK"},
    {"Japan", "JP"},
    {"Poland", "PL"},
    {"Israel", "IL"},
    {"USA", "US"},
    {"Hong Kong", "HK"},
    {"Singapore", "SG"},
    {"Iceland", "IS"},
    {"Canada", "CA"},
    {"Greece", "GR"},
    {"Malta", "MT"},
    {"United Arab Emirates", "AE"},
    {"RSA", "ZA"},
    {"Lebanon", "LB"},
    {"Lithuania", "LT"},
    {"Brazil", "BR"},
    {"Czech Republic", "CZ"},
    {"Bahrain", "BH"},
    {"Saudi Arabia", "SA"},
};

const char *country_code(struct bytes name) {
  for (size_t i = 0; i < COUNT_OF(countries); i++)
    if (bytes_equal_string(name, countries[i].name)) return countries[i].code;
  return "";
}
