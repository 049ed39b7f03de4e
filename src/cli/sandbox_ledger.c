#include <stdlib.h>

#include "base/panic.h"
#include "cli/sandbox_exchange.h"

enum { LEDGER_BLOCK_BYTES = 256 * 1024, LEDGER_LINES_AT_ONCE = 256 };

struct ledger_reader {
  const struct sandbox_core *core;
  uint64_t next, last; /* sequences */
  struct text lines;   /* made and not yet handed out, from `at` on */
  size_t at;
};

static ssize_t read_some(void *context, uint64_t position, char *buffer, size_t room) {
  struct ledger_reader *reader = context;
  (void)position;
  if (reader->at == reader->lines.size) {
    reader->at = reader->lines.size = 0;
    for (int i = 0; i < LEDGER_LINES_AT_ONCE && reader->next <= reader->last; i++, reader->next++)
      sandbox_ledger_line(sandbox_core_effect(reader->core, reader->next), reader->next, &reader->lines);
    if (reader->lines.size == 0) return MHD_CONTENT_READER_END_OF_STREAM;
  }
  size_t size = reader->lines.size - reader->at < room ? reader->lines.size - reader->at : room;
  memcpy(buffer, reader->lines.data + reader->at, size);
  reader->at += size;
  return (ssize_t)size;
}

static void reader_free(void *context) {
  struct ledger_reader *reader = context;
  text_release(&reader->lines);
  free(reader);
}

struct MHD_Response *sandbox_ledger_response(const struct sandbox_core *core) {
  struct ledger_reader *reader = calloc(1, sizeof *reader);
  if (!reader) panic("out of memory");
  *reader = (struct ledger_reader){.core = core, .next = 1, .last = sandbox_core_effect_count(core)};
  text_init(&reader->lines, NULL);
  struct MHD_Response *response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LEDGER_BLOCK_BYTES, read_some, reader, reader_free);
  if (!response) reader_free(reader);
  return response;
}
