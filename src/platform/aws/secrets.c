#include "platform/aws/secrets.h"

#include "base/text.h"
#include "platform/net/key_fetch.h"
#include "wire/json.h"
#include "wire/json_write.h"

enum { SECRET_BYTES_MAX = 1024 * 1024 };

static const char *after(const char *text, const char *prefix) {
  size_t size = strlen(prefix);
  return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

static bool ask(struct aws_client *client, enum aws_service service, const char *operation, const char *member,
                const char *name, struct arena *arena, struct json **ret_root, struct failure *ret_failure) {
  struct text text;
  struct json_writer json;
  struct bytes detail;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_string(&json, member, name);
  if (service == AWS_SSM) json_write_boolean(&json, "WithDecryption", true);
  json_close_object(&json);
  struct aws_answer answer = aws_call_one(client, service, operation, text_view(&text), arena);
  if (answer.outcome != AWS_DONE)
    return failure_set(ret_failure, "%s of %s: %.*s", operation, name, BYTES_PRINTF(answer.error));
  return json_parse(answer.body, arena, ret_root, &detail) ||
         failure_set(ret_failure, "%s of %s: the answer is no JSON", operation, name);
}

bool aws_secret_read(struct aws_client *client, const char *location, size_t least_bytes, struct arena *arena,
                     struct bytes *ret_secret, struct failure *ret_failure) {
  const char *parameter = after(location, "ssm:"), *secret = after(location, "secretsmanager:");
  struct bytes value;
  struct json *root;
  struct text file;
  if (parameter) {
    if (!ask(client, AWS_SSM, "GetParameter", "Name", parameter, arena, &root, ret_failure)) return false;
    value = json_member_text(json_member(root, "Parameter"), "Value");
  } else if (secret) {
    if (!ask(client, AWS_SECRETS_MANAGER, "GetSecretValue", "SecretId", secret, arena, &root, ret_failure))
      return false;
    value = json_member_text(root, "SecretString");
  } else {
    text_init(&file, arena);
    if (!key_fetch_file(location, SECRET_BYTES_MAX, &file, ret_failure)) return false;
    value = text_view(&file);
  }
  if (value.size > 0 && value.data[value.size - 1] == '\n') value.size--;
  if (value.size < least_bytes)
    return failure_set(ret_failure, "%s holds %zu bytes; at least %zu are needed", location, value.size,
                       least_bytes);
  *ret_secret = arena_copy(arena, value);
  return true;
}
