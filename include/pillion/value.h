/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_VALUE_H
#define PILLION_INCLUDE_VALUE_H

/*
 * Values: what tasks and calls end with. This is freestanding C11, as future.h.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that a value or an event carries without a pointer. */
#define PILLION_INLINE 24

typedef void (*pillion_release_fn)(void *owner);

/*
 * pillion_value is a result: a status and some bytes. Its size is 40 bytes. Up
 * to PILLION_INLINE bytes of a result are in payload.bytes. Longer ones, of up
 * to UINT32_MAX bytes, are where payload.ref.data points, until the last owner
 * of the value calls release(owner), once. release may be NULL.
 */
typedef struct pillion_value {
  int32_t status;    /* 0, or the negative error that the task ended with; a
                        task keeps 31 bits of it */
  uint32_t reserved; /* zero */
  uint64_t length;   /* bytes */
  union {
    uint8_t bytes[PILLION_INLINE];
    struct {
      const void *data;
      pillion_release_fn release;
      void *owner;
    } ref;
  } payload;
} pillion_value;

/*
 * pillion_value_set makes *out a success that carries `length` bytes inline.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the bytes are copied.
 * Returns: 0, or -1 if they are more than PILLION_INLINE.
 * Since: 0.1
 */
static inline int pillion_value_set(pillion_value *out, const void *bytes,
                                    size_t length) {
  const uint8_t *from = (const uint8_t *)bytes;
  if (length > PILLION_INLINE) return -1;
  out->status = 0;
  out->reserved = 0;
  out->length = length;
  for (size_t i = 0; i < length; i++) out->payload.bytes[i] = from[i];
  return 0;
}

/*
 * pillion_value_data finds the bytes of a value, wherever they are.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: they belong to the value.
 * Returns: a pointer to value->length bytes.
 * Since: 0.1
 */
static inline const void *pillion_value_data(const pillion_value *value) {
  return value->length > PILLION_INLINE ? value->payload.ref.data
                                        : value->payload.bytes;
}

/*
 * pillion_value_drop releases what a value holds and empties it.
 *
 * Threads: any.
 * Reentrancy: anywhere; the release function is called from here.
 * Ownership: the bytes are gone afterwards.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_value_drop(pillion_value *value) {
  uint64_t length = value->length;
  value->length = 0;
  if (length > PILLION_INLINE && value->payload.ref.release != NULL)
    value->payload.ref.release(value->payload.ref.owner);
}

#ifdef __cplusplus
}
#endif

#endif
