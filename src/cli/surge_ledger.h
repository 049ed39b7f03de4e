/* The surge's ledger: JSON lines, appended. What was attempted stands in it before it was sent, what
 * was answered after; a kill of the surge loses no line that was written.
 *
 * {"type":"run","run":"…","at":"…","url":"…"}                                first line of a run
 * {"type":"attempt","key":"…","customer":"…","try":1,"at":"…","body":{…}}    body on the first try only
 *   ("customer" is left out where one token was given for all)
 * {"type":"answer","key":"…","try":1,"at":"…","status":202,"id":"ord_…"}     or "code":"invalid-order";
 *                                                                            status 0 and "failure": none came
 * {"type":"cancel","key":"…","order":"ord_…","try":1,"at":"…"}, {"type":"cancel-answer",…}
 * {"type":"end","at":"…"}                                                    the run went to its end */
#ifndef CLI_SURGE_LEDGER_H
#define CLI_SURGE_LEDGER_H

#include "cli/surge.h"

/* Opens for appending and writes the first line. */
MUST_USE bool surge_ledger_open(struct surge *surge, struct failure *ret_failure);
/* These add to a buffer; surge_ledger_write puts it into the file. */
void surge_ledger_attempt(struct surge *surge, const struct surge_request *request);
void surge_ledger_answer(struct surge *surge, const struct surge_request *request,
                         const struct client_answer *answer, struct bytes id, struct bytes code);
MUST_USE bool surge_ledger_write(struct surge *surge, struct failure *ret_failure);
MUST_USE bool surge_ledger_close(struct surge *surge, struct failure *ret_failure);

#endif
