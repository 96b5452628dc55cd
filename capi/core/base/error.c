/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

const char *pillion_strerror(int code) {
  switch (code) {
    case PILLION_OK:
      return "success";
    case PILLION_EINVAL:
      return "invalid argument";
    case PILLION_ENOMEM:
      return "out of memory";
    case PILLION_EBADHANDLE:
      return "no such handle (stale, or never valid)";
    case PILLION_EWRONGTHREAD:
      return "the executor belongs to another thread";
    case PILLION_EREENTRANT:
      return "not allowed inside a turn";
    case PILLION_EFORKED:
      return "not usable in a forked child";
    case PILLION_EAGAIN:
      return "over a quota; try again later";
    case PILLION_EMSGSIZE:
      return "too large";
    case PILLION_EBUSY:
      return "in use by another";
    case PILLION_ECLOSED:
      return "closing or closed";
    case PILLION_ECANCELLED:
      return "cancelled";
    case PILLION_EPANIC:
      return "the Go function panicked";
    case PILLION_EFAILED:
      return "the Go function returned an error";
    case PILLION_ENOTFOUND:
      return "no such function";
    case PILLION_EVERSION:
      return "header and library versions do not fit";
    case PILLION_ETIMEDOUT:
      return "timed out";
    case PILLION_EINTR:
      return "interrupted by a signal";
    case PILLION_ESYSTEM:
      return "the operating system refused";
    case PILLION_EGOEXIT:
      return "the Go function called runtime.Goexit";
    case PILLION_ENOTSUP:
      return "not supported by the host";
    default:
      return "unknown error";
  }
}

int pillion_version(void) { return PILLION_VERSION_NUMBER; }

int pillion__fail(int code, char *errbuf, size_t errcap, const char *format,
                  ...) {
  if (errbuf != NULL && errcap > 0) {
    va_list args;
    va_start(args, format);
    vsnprintf(errbuf, errcap, format, args);
    va_end(args);
  }
  return code;
}

/* Copies options that a program gives: `size` bytes, which begin with theirs. */
int pillion__options_take(void *out, size_t size, const void *given,
                          char *errbuf, size_t errcap) {
  size_t its;
  if (pillion__forked())
    return pillion__fail(PILLION_EFORKED, errbuf, errcap, "a forked child");
  if (given == NULL) return 0;
  memcpy(&its, given, sizeof its);
  if (its < size)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "options.size is %zu, not %zu or more", its, size);
  memcpy(out, given, size);
  return 0;
}

int pillion_failure_parse(pillion_failure *out, const void *payload,
                          size_t length) {
  pillion_failure parsed = PILLION_FAILURE_INIT;
  const char *at = payload;
  uint32_t stack;
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL || payload == NULL || out->size < sizeof parsed ||
      length < 12)
    return PILLION_EINVAL;
  memcpy(&parsed.code, at, 4);
  memcpy(&parsed.message_length, at + 4, 4);
  if (parsed.message_length > length - 12) return PILLION_EINVAL;
  parsed.message = at + 8;
  memcpy(&stack, parsed.message + parsed.message_length, 4);
  if (stack > length - 12 - parsed.message_length) return PILLION_EINVAL;
  parsed.stack = parsed.message + parsed.message_length + 4;
  parsed.stack_length = stack;
  parsed.size = out->size;
  *out = parsed;
  return 0;
}
