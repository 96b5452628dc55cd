/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of Go functions. It is filled once, sorted by name, while the
 * library starts; from then on it is only read.
 */
#include <stdlib.h>
#include <string.h>

#include "call/call.h"

struct function {
  char *name, *module, *descriptor;
  uint32_t kind, flows, class;
};

static struct function *functions;
static _Atomic uint32_t function_count;
static uint32_t function_capacity;

/* The table has copies of the texts, which live as long as the process. */
int pillion__function_add(const char *name, const char *module,
                          const char *descriptor, uint32_t kind,
                          uint32_t flows, uint32_t class) {
  uint32_t n = atomic_load(&function_count);
  if (n == function_capacity) {
    uint32_t more = function_capacity == 0 ? 64 : 2 * function_capacity;
    struct function *table = realloc(functions, more * sizeof *table);
    if (table == NULL) return PILLION_ENOMEM;
    functions = table;
    function_capacity = more;
  }
  struct function f = {strdup(name), strdup(module), strdup(descriptor), kind,
                       flows, class};
  if (f.name == NULL || f.module == NULL || f.descriptor == NULL)
    return PILLION_ENOMEM;
  functions[n] = f;
  atomic_store(&function_count, n + 1);
  return 0;
}

bool pillion__function_any(void) { return atomic_load(&function_count) > 0; }

static pillion_function function_at(uint32_t index) {
  return pillion__handle(PILLION__FUNCTION, index, pillion__first_gen());
}

int pillion__function_kind(uint32_t *index, uint32_t *kind, uint32_t *flows,
                           pillion_function function) {
  *index = pillion__slot_of(function);
  if (pillion__tag_of(function) != PILLION__FUNCTION ||
      pillion__gen_of(function) != pillion__first_gen() ||
      *index >= atomic_load_explicit(&function_count, memory_order_acquire))
    return PILLION_EBADHANDLE;
  *kind = functions[*index].kind;
  *flows = functions[*index].flows;
  return 0;
}

/* Of the object whose method it is, or 0. */
uint32_t pillion__function_class(uint32_t index) {
  return functions[index].class;
}

static int by_name(const void *name, const void *function) {
  return strcmp(name, ((const struct function *)function)->name);
}

int pillion_function_find(pillion_function *out, const char *name) {
  int rc = pillion__started();
  if (rc < 0) return rc;
  if (out == NULL || name == NULL) return PILLION_EINVAL;
  uint32_t n = atomic_load(&function_count);
  struct function *found =
      n == 0 ? NULL : bsearch(name, functions, n, sizeof *functions, by_name);
  if (found == NULL) return PILLION_ENOTFOUND;
  *out = function_at((uint32_t)(found - functions));
  return 0;
}

int pillion_function_list(pillion_function *out, size_t cap) {
  int rc = pillion__started();
  if (rc < 0) return rc;
  if (out == NULL && cap > 0) return PILLION_EINVAL;
  uint32_t n = atomic_load(&function_count);
  for (uint32_t i = 0; i < n && i < cap; i++) out[i] = function_at(i);
  return (int)n;
}

int pillion_function_describe(pillion_function_info *out,
                              pillion_function function) {
  uint32_t index, kind, flows;
  if (pillion__forked()) return PILLION_EFORKED;
  int rc = pillion__function_kind(&index, &kind, &flows, function);
  if (rc < 0) return rc;
  const struct function *f = &functions[index];
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  info.name = f->name;
  info.module = f->module;
  info.descriptor = f->descriptor;
  info.kind = kind;
  info.flows = flows;
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
