/* JSON in and out by descriptor tables: a table says which members an object has, of which type and
 * within which limits, and where in a C struct each one lives. Reading tells everything that is
 * wrong at once; reading and writing come from the same table. */
#ifndef WIRE_BIND_H
#define WIRE_BIND_H

#include "wire/json.h"
#include "wire/json_write.h"
#include "wire/problem.h"

enum bind_type {
  BIND_TEXT,    /* struct bytes; limits are code points, no control characters */
  BIND_INTEGER, /* int64_t; limits are values */
  BIND_NAME,    /* int; one of `names`, stored as its index */
  BIND_OBJECT,  /* const void *, to a struct of `object`; NULL where absent */
  BIND_LIST,    /* struct bind_list of `object`; limits are counts */
  BIND_BOOLEAN, /* bool */
};

struct bind_list {
  void *items; /* count structs of object->size_bytes each */
  size_t count;
};

struct bind_object;

struct bind_field {
  const char *name;
  enum bind_type type;
  size_t offset_bytes; /* in the C struct */
  int64_t least, most; /* limits, both inclusive */
  bool required;
  bool omit_default; /* absent, null, 0 and "" mean the same, and are not written */
  const struct bind_object *object;
  const char *const *names; /* ends with NULL */
};

struct bind_object {
  const struct bind_field *fields;
  size_t count;
  size_t size_bytes; /* of the C struct; a zeroed one is the default */
};

/* Fills `ret_struct` (zeroed first) from `value`. `errors` gets an entry for each thing wrong; the
 * struct is of use only where none was added. `null` is absent for an optional member; an unknown
 * member is refused by name. */
void bind_read(const struct bind_object *object, const struct json *value, struct arena *arena,
               void *ret_struct, struct problem_errors *errors);

/* Writes the members of the struct into the object that is open in `writer`. */
void bind_write_members(const struct bind_object *object, const void *of, struct json_writer *writer);

#endif
