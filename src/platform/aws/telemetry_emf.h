/* Metrics as lines of CloudWatch's embedded metric format on standard output. What an alarm waits for is
 * written at the end of its invocation; the rest is added up in memory and written at most once a minute, since
 * what is logged is paid for by the byte. What a killed environment had not written is lost; nothing but the
 * figures depends on it. */
#ifndef PLATFORM_AWS_TELEMETRY_EMF_H
#define PLATFORM_AWS_TELEMETRY_EMF_H

#include <stdint.h>

#include "port/telemetry.h"

struct telemetry_emf;

/* `function` is the dimension Function; it must outlive this. */
struct telemetry_emf *telemetry_emf_open(const char *function);
void telemetry_emf_close(struct telemetry_emf *telemetry);
struct telemetry *telemetry_emf_port(struct telemetry_emf *telemetry);
/* At the end of an invocation: writes what is urgent, and everything where a minute has passed since the last
 * time, or in any case. */
void telemetry_emf_write(struct telemetry_emf *telemetry, int64_t now_ms, bool in_any_case);

#endif
