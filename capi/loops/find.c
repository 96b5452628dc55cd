/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finds the functions of a loop that the process has loaded; it loads nothing.
 * The pointers are set once, for all threads, so a process rides on one copy of
 * each loop's library.
 */
#include <dlfcn.h>
#include <string.h>

#include "loops/loops.h"

static pthread_mutex_t finding = PTHREAD_MUTEX_INITIALIZER;
static void *found[PILLION__LOOP_KINDS]; /* the first function of each */

/* The object that an address lies in: the program itself has no file name. It
 * stays loaded from now on. */
static void *object_of(void *address, const char **file) {
  Dl_info info = {.dli_fname = ""};
  void *object = NULL;
  if (dladdr(address, &info) != 0)
    object = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  *file = info.dli_fname;
  return object != NULL ? object : dlopen(NULL, RTLD_LAZY);
}

/* All come from the object that has the first: libev has some of libevent's
 * names. */
static int set_pointers(const struct pillion__loop_kind *kind, void *first,
                        void *loop, struct pillion__why why) {
  const char *file, *unfit;
  void *object = object_of(first, &file), *functions[16];
  for (size_t i = 0; i < kind->count; i++) {
    functions[i] = dlsym(object, kind->symbols[i].name);
    if (functions[i] == NULL)
      return pillion__fail(PILLION_ENOTSUP, why, "%s has no %s", file,
                           kind->symbols[i].name);
  }
  for (size_t i = 0; i < kind->count; i++)
    memcpy(kind->symbols[i].pointer, &functions[i], sizeof functions[i]);
  unfit = kind->unfit != NULL ? kind->unfit(loop) : NULL;
  return unfit == NULL
             ? 0
             : pillion__fail(PILLION_ENOTSUP, why, "%s: %s", file, unfit);
}

static int look(void **first, const struct pillion__loop_kind *kind,
                const char *library, struct pillion__why why) {
  const char *name = kind->symbols[0].name;
  void *object;
  *first = library == NULL ? dlsym(RTLD_DEFAULT, name) : NULL;
  if (*first != NULL) return 0;
  object =
      dlopen(library != NULL ? library : kind->soname, RTLD_LAZY | RTLD_NOLOAD);
  if (object != NULL) {
    *first = dlsym(object, name);
    dlclose(object);
  }
  if (*first != NULL) return 0;
  if (library != NULL)
    return pillion__fail(
        PILLION_ENOTFOUND, why,
        object != NULL ? "%s has no %s" : "%s is not loaded (for %s)", library,
        name);
  return pillion__fail(PILLION_ENOTFOUND, why,
                       "this process has no loop \"%s\": no %s in its global "
                       "symbols, and %s %s",
                       kind->name, name, kind->soname,
                       object != NULL ? "lacks it" : "is not loaded");
}

int pillion__loop_find(const struct pillion__loop_kind *kind, void *loop,
                       const char *library, struct pillion__why why) {
  void *first, **its = &found[kind - pillion__loop_kinds];
  int rc = look(&first, kind, library, why);
  if (rc < 0) return rc;
  pthread_mutex_lock(&finding);
  if (*its == NULL) {
    rc = set_pointers(kind, first, loop, why);
    if (rc == 0) *its = first;
  } else if (*its != first) {
    rc = pillion__fail(PILLION_EBUSY, why,
                       "this process is on another copy of \"%s\" already",
                       kind->name);
  }
  pthread_mutex_unlock(&finding);
  return rc;
}
