/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

static const char *const texts[] = {
    [PILLION_OK] = "success",
    [-PILLION_EINVAL] = "invalid argument",
    [-PILLION_ENOMEM] = "out of memory",
    [-PILLION_EBADHANDLE] = "no such handle (stale, or never valid)",
    [-PILLION_EWRONGTHREAD] = "the executor belongs to another thread",
    [-PILLION_EREENTRANT] = "not allowed inside a turn",
    [-PILLION_EFORKED] = "not usable in a forked child",
    [-PILLION_EAGAIN] = "over a quota; try again later",
    [-PILLION_EMSGSIZE] = "too large",
    [-PILLION_EBUSY] = "in use by another",
    [-PILLION_ECLOSED] = "closing or closed",
    [-PILLION_ECANCELLED] = "cancelled",
    [-PILLION_EPANIC] = "the Go function panicked",
    [-PILLION_EFAILED] = "the Go function returned an error",
    [-PILLION_ENOTFOUND] = "not found",
    [-PILLION_EVERSION] = "header and library versions do not fit",
    [-PILLION_ETIMEDOUT] = "timed out",
    [-PILLION_EINTR] = "interrupted by a signal",
    [-PILLION_ESYSTEM] = "the operating system refused",
    [-PILLION_EGOEXIT] = "the Go function called runtime.Goexit",
    [-PILLION_ENOTSUP] = "not supported by the host, or by this library",
    [-PILLION_EDEADLOCK] = "the wait would never end",
    [-PILLION_EREQUEST] = "the Go function cannot read the request",
};

const char *pillion_strerror(int code) {
  int known = sizeof texts / sizeof *texts;
  return code <= 0 && code > -known ? texts[-code] : "unknown error";
}

int pillion_version(void) { return PILLION_VERSION_NUMBER; }

int pillion__fail(int code, struct pillion__why why, const char *format, ...) {
  if (why.text != NULL && why.cap > 0) {
    va_list args;
    va_start(args, format);
    vsnprintf(why.text, why.cap, format, args);
    va_end(args);
  }
  return code;
}

/* By errno. */
int pillion__fail_system(struct pillion__why why, const char *what) {
  return pillion__fail(PILLION_ESYSTEM, why, "%s: %s", what, strerror(errno));
}

/* The first version that was given out; what is less is no version. */
#define VERSION_FIRST 0x000100

/* The minor may be less than the library's, the patch may differ. */
static int version_check(int version, struct pillion__why why) {
  if (version >= VERSION_FIRST && version >> 16 == PILLION_VERSION_MAJOR &&
      version >> 8 <= PILLION_VERSION_NUMBER >> 8)
    return 0;
  return pillion__fail(
      PILLION_EVERSION, why,
      "the program has the header of version %d.%d.%d, the library is %s",
      version >> 16, version >> 8 & 255, version & 255, PILLION_VERSION_STRING);
}

/*
 * Takes options that a program gives, or none. The version of its header stands
 * behind their size.
 */
int pillion__options_take(void *ours, size_t size, size_t first,
                          const void *given, struct pillion__why why) {
  int version;
  if (pillion__forked())
    return pillion__fail(PILLION_EFORKED, why, "a forked child");
  if (given == NULL) return 0;
  int rc = pillion__sized_in(ours, size, first, given, why);
  if (rc < 0) return rc;
  memcpy(&version, (char *)ours + sizeof(size_t), sizeof version);
  return version_check(version, why);
}

int pillion_failure_parse(pillion_failure *out, const void *payload,
                          size_t length) {
  pillion_failure parsed = PILLION_FAILURE_INIT;
  const char *at = payload;
  uint32_t stack;
  if (pillion__forked()) return PILLION_EFORKED;
  if (payload == NULL || length < 12) return PILLION_EINVAL;
  memcpy(&parsed.code, at, 4);
  memcpy(&parsed.message_length, at + 4, 4);
  if (parsed.message_length > length - 12) return PILLION_EINVAL;
  parsed.message = at + 8;
  memcpy(&stack, parsed.message + parsed.message_length, 4);
  if (stack > length - 12 - parsed.message_length) return PILLION_EINVAL;
  parsed.stack = parsed.message + parsed.message_length + 4;
  parsed.stack_length = stack;
  return pillion__sized_out(out, PILLION__FIRST_FAILURE, &parsed,
                            sizeof parsed);
}

size_t pillion_failure_write(void *out, size_t cap, int32_t code,
                             const char *message, size_t message_length,
                             const char *stack, size_t stack_length) {
  size_t length = 12 + message_length + stack_length;
  uint32_t message32 = (uint32_t)message_length,
           stack32 = (uint32_t)stack_length;
  char *at = out;
  if (out == NULL || message32 != message_length || stack32 != stack_length ||
      length > cap)
    return length;
  memcpy(at, &code, 4);
  memcpy(at + 4, &message32, 4);
  if (message32 > 0) memcpy(at + 8, message, message32);
  memcpy(at + 8 + message32, &stack32, 4);
  if (stack32 > 0) memcpy(at + 12 + message32, stack, stack32);
  return length;
}
