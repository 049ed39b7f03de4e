/* Compiler attributes used throughout. */
#ifndef BASE_ATTRIBUTES_H
#define BASE_ATTRIBUTES_H

/* The caller must look at what the function returns: it tells of a failing environment. */
#define MUST_USE __attribute__((warn_unused_result))
/* The function takes a printf format as argument number `format`, its values from `first` on. */
#define PRINTF_LIKE(format, first) __attribute__((format(printf, format, first)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
