/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of Go functions. It is filled once, sorted by name, while the
 * library starts; from then on it is only read.
 */
#include <stdlib.h>
#include <string.h>

#include "call/call.h"

static struct pillion__function *functions;
static _Atomic uint32_t function_count;
static uint32_t function_capacity;

/* The table has copies of the texts, which live as long as the process. */
int pillion__function_add(const char *name, const char *module,
                          const char *descriptor, uint32_t kind,
                          uint32_t flows, uint32_t class) {
  uint32_t n = atomic_load(&function_count);
  if (n == function_capacity) {
    uint32_t more = function_capacity == 0 ? 64 : 2 * function_capacity;
    struct pillion__function *table =
        realloc(functions, more * sizeof *table);
    if (table == NULL) return PILLION_ENOMEM;
    functions = table;
    function_capacity = more;
  }
  struct pillion__function f = {
      pillion__handle(PILLION__FUNCTION, n, pillion__first_gen()),
      strdup(name),
      strdup(module),
      strdup(descriptor),
      kind,
      flows,
      class};
  if (f.name == NULL || f.module == NULL || f.descriptor == NULL)
    return PILLION_ENOMEM;
  functions[n] = f;
  atomic_store(&function_count, n + 1);
  return 0;
}

bool pillion__function_any(void) { return atomic_load(&function_count) > 0; }

/* NULL: the handle is of none. */
const struct pillion__function *pillion__function_of(pillion_function handle) {
  uint32_t index = pillion__slot_of(handle);
  return index < atomic_load_explicit(&function_count, memory_order_acquire) &&
                 functions[index].handle == handle
             ? &functions[index]
             : NULL;
}

static int by_name(const void *name, const void *function) {
  return strcmp(name, ((const struct pillion__function *)function)->name);
}

int pillion_function_find(pillion_function *out, const char *name) {
  int rc = pillion__started();
  if (rc < 0) return rc;
  if (out == NULL || name == NULL) return PILLION_EINVAL;
  uint32_t n = atomic_load(&function_count);
  struct pillion__function *found =
      n == 0 ? NULL : bsearch(name, functions, n, sizeof *functions, by_name);
  if (found == NULL) return PILLION_ENOTFOUND;
  *out = found->handle;
  return 0;
}

int pillion_function_list(pillion_function *out, size_t cap) {
  int rc = pillion__started();
  if (rc < 0) return rc;
  if (out == NULL && cap > 0) return PILLION_EINVAL;
  uint32_t n = atomic_load(&function_count);
  for (uint32_t i = 0; i < n && i < cap; i++) out[i] = functions[i].handle;
  return (int)n;
}

int pillion_function_describe(pillion_function_info *out,
                              pillion_function function) {
  if (pillion__forked()) return PILLION_EFORKED;
  const struct pillion__function *f = pillion__function_of(function);
  if (f == NULL) return PILLION_EBADHANDLE;
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  info.name = f->name;
  info.module = f->module;
  info.descriptor = f->descriptor;
  info.kind = f->kind;
  info.flows = f->flows;
  return pillion__sized_out(out, PILLION__FIRST_FUNCTION_INFO, &info,
                            sizeof info);
}

/* Sorted names put a module's functions side by side. */
int pillion_module_list(const char **out, size_t cap) {
  int rc = pillion__started();
  if (rc < 0) return rc;
  if (out == NULL && cap > 0) return PILLION_EINVAL;
  uint32_t n = atomic_load(&function_count), modules = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (i > 0 && strcmp(functions[i].module, functions[i - 1].module) == 0)
      continue;
    if (modules < cap) out[modules] = functions[i].module;
    modules++;
  }
  return (int)modules;
}
