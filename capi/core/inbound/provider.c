/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Providers: the host's functions with a name, on one executor. A provider is
 * in use while it is provided, and by each call; the last use frees it.
 */
#include <string.h>

#include "inbound/inbound.h"

#define PROVIDERS 1024u
#define WINDOW 1024u

struct provider {
  _Atomic uint32_t gen; /* of the handle; even: not provided any more */
  _Atomic uint32_t uses;
  struct pillion__window window;
  _Atomic(struct pillion__executor *) executor;
  uint64_t executor_gen, token, serial;
  uint32_t functions, window_size;
  char *name, *descriptor; /* NULL: the place is free */
};

static struct provider providers[PROVIDERS];
static uint64_t provider_serials;
/* Of the texts. Nothing is called under it. */
static pthread_mutex_t providers_lock = PTHREAD_MUTEX_INITIALIZER;

static struct provider *provider_at(uint32_t link) {
  return &providers[link - 1];
}

bool pillion__provider_alive(uint32_t link) {
  return atomic_load(&provider_at(link)->gen) % 2 == 1;
}

/* ---- Uses ---------------------------------------------------------------- */

void pillion__provider_unuse(uint32_t link) {
  struct provider *p = provider_at(link);
  if (atomic_fetch_sub(&p->uses, 1) > 1) return;
  pthread_mutex_lock(&providers_lock);
  char *name = p->name, *descriptor = p->descriptor;
  p->name = p->descriptor = NULL;
  pthread_mutex_unlock(&providers_lock);
  pillion__free(name);
  pillion__free(descriptor);
}

static int provider_use(uint32_t *link, uint64_t handle) {
  uint32_t index = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  if (pillion__tag_of(handle) != PILLION__PROVIDER || index >= PROVIDERS ||
      gen % 2 == 0)
    return PILLION_EBADHANDLE;
  *link = index + 1;
  struct provider *p = provider_at(*link);
  uint32_t uses = atomic_load(&p->uses);
  do
    if (uses == 0) return PILLION_EBADHANDLE;
  while (!atomic_compare_exchange_weak(&p->uses, &uses, uses + 1));
  if (atomic_load(&p->gen) == gen) return 0;
  pillion__provider_unuse(*link);
  return PILLION_EBADHANDLE;
}

/* For a call: 0, and the executor has a visitor. */
int pillion__provider_use(uint32_t *link, struct pillion__executor **ex,
                          uint64_t *token,
                          const struct pillion__inbound_request *request) {
  if (provider_use(link, request->provider) < 0) return PILLION_ENOTFOUND;
  struct provider *p = provider_at(*link);
  int rc = request->function < p->functions ? 0 : PILLION_ENOTSUP;
  *ex = pillion__peek(&p->executor);
  *token = p->token;
  atomic_fetch_add(&(*ex)->visitors, 1);
  if (atomic_load(&(*ex)->base.gen) != p->executor_gen ||
      pillion__closing(&(*ex)->base) != 0)
    rc = PILLION_ENOTFOUND;
  if (rc == 0) return 0;
  atomic_fetch_sub(&(*ex)->visitors, 1);
  pillion__provider_unuse(*link);
  return rc;
}

struct pillion__window *pillion__provider_window(uint32_t link,
                                                 uint32_t *most) {
  *most = provider_at(link)->window_size;
  return &provider_at(link)->window;
}

/* ---- New and free -------------------------------------------------------- */

static bool provider_named(const char *name) {
  const char *dot = name == NULL ? NULL : strchr(name, '.');
  return dot != NULL && dot != name && dot[1] != 0;
}

static char *text_copy(const char *text) {
  size_t size = strlen(text) + 1;
  char *to = pillion__alloc(size);
  return to == NULL ? NULL : memcpy(to, text, size);
}

static bool provides(const struct provider *p, const char *name) {
  return p->name != NULL && atomic_load(&p->gen) % 2 == 1 &&
         strcmp(p->name, name) == 0;
}

/* Under the lock, with a visitor in the executor. It owns the texts after 0. */
static int provider_put(pillion_provider *out, struct pillion__executor *ex,
                        uint64_t executor_gen,
                        const pillion_provider_options *o, char *name,
                        char *descriptor, struct pillion__why why) {
  struct provider *p = NULL;
  for (uint32_t i = PROVIDERS; i-- > 0;) {
    if (provides(&providers[i], name) &&
        pillion__peek(&providers[i].executor) == ex)
      return pillion__fail(PILLION_EBUSY, why,
                           "the executor provides %s already", name);
    if (providers[i].name == NULL) p = &providers[i];
  }
  if (p == NULL)
    return pillion__fail(PILLION_EAGAIN, why, "%u providers are alive",
                         PROVIDERS);
  pillion__set(&p->executor, ex);
  p->executor_gen = executor_gen;
  p->token = o->token;
  p->serial = provider_serials++;
  p->functions = o->functions;
  p->window_size = o->window == 0 ? WINDOW : o->window;
  p->name = name;
  p->descriptor = descriptor;
  uint32_t gen = atomic_load(&p->gen);
  gen = gen == 0 ? pillion__first_gen() : gen + 1;
  atomic_store(&p->gen, gen);
  atomic_store(&p->uses, 1);
  atomic_fetch_add(&ex->providers, 1);
  atomic_fetch_add(&pillion__providers_alive, 1);
  *out = pillion__handle(PILLION__PROVIDER, (uint32_t)(p - providers), gen);
  return 0;
}

static int provider_add(pillion_provider *out, pillion_executor executor,
                        const pillion_provider_options *o,
                        struct pillion__why why) {
  struct pillion__executor *ex;
  char *name = text_copy(o->name),
       *descriptor = text_copy(o->descriptor == NULL ? "" : o->descriptor);
  int rc = name == NULL || descriptor == NULL
               ? pillion__fail(PILLION_ENOMEM, why, "no memory for %s", o->name)
               : pillion__executor_get(&ex, executor);
  if (rc == 0) {
    uint64_t gen = pillion__gen_of(executor);
    atomic_fetch_add(&ex->visitors, 1);
    if (atomic_load(&ex->base.gen) != gen) rc = PILLION_EBADHANDLE;
    else if (pillion__closing(&ex->base) != 0) rc = PILLION_ECLOSED;
    pthread_mutex_lock(&providers_lock);
    if (rc == 0) rc = provider_put(out, ex, gen, o, name, descriptor, why);
    pthread_mutex_unlock(&providers_lock);
    atomic_fetch_sub(&ex->visitors, 1);
  }
  if (rc == 0) return 0;
  pillion__free(name);
  pillion__free(descriptor);
  return rc;
}

int pillion_provider_new(pillion_provider *out, pillion_executor executor,
                         const pillion_provider_options *options, char *errbuf,
                         size_t errcap) {
  struct pillion__why why = {errbuf, errcap};
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  int rc = pillion__started_or(why);
  if (rc == 0)
    rc = pillion__sized_in(&o, sizeof o, PILLION__FIRST_PROVIDER_OPTIONS,
                           options, why);
  if (rc < 0) return rc;
  if (out == NULL) return pillion__fail(PILLION_EINVAL, why, "out is NULL");
  if (!provider_named(o.name))
    return pillion__fail(PILLION_EINVAL, why,
                         "a name has two parts: module.Interface");
  if (o.functions == 0 || o.functions > PILLION__FUNCTIONS)
    return pillion__fail(PILLION_EINVAL, why,
                         "%u functions, not one to %u of them", o.functions,
                         PILLION__FUNCTIONS);
  if (atomic_load(&pillion__stopping))
    return pillion__fail(PILLION_ECLOSED, why, "the library stops");
  return provider_add(out, executor, &o, why);
}

/* Reports whether this ended it. Calls that the host knows go on. */
static bool provider_end(uint32_t link, uint32_t gen) {
  struct provider *p = provider_at(link);
  struct pillion__executor *ex = pillion__peek(&p->executor);
  if (!atomic_compare_exchange_strong(&p->gen, &gen, gen + 1)) return false;
  atomic_fetch_sub(&pillion__providers_alive, 1);
  atomic_fetch_add(&ex->visitors, 1);
  if (atomic_load(&ex->base.gen) == p->executor_gen)
    atomic_fetch_sub(&ex->providers, 1);
  atomic_fetch_sub(&ex->visitors, 1);
  pillion__inbounds_end(NULL, link, PILLION__INBOUND_UNTOLD, PILLION_ENOTFOUND);
  pillion__provider_unuse(link);
  return true;
}

int pillion_provider_free(pillion_provider provider) {
  uint32_t link;
  if (pillion__forked()) return PILLION_EFORKED;
  int rc = provider_use(&link, provider);
  if (rc < 0) return rc;
  if (!provider_end(link, pillion__gen_of(provider))) rc = PILLION_EBADHANDLE;
  pillion__provider_unuse(link);
  return rc;
}

/* ---- All of them --------------------------------------------------------- */

/* An executor is freed: `ex->providers` is over, too. */
void pillion__providers_end(struct pillion__executor *ex) {
  for (uint32_t link = 1; link <= PROVIDERS; link++) {
    uint32_t gen = atomic_load(&provider_at(link)->gen);
    if (gen % 2 == 1 && pillion__peek(&provider_at(link)->executor) == ex)
      provider_end(link, gen);
  }
  atomic_store(&ex->providers, 0);
}

/* The one on `preferred`, else the eldest, of executors that do not close. */
int pillion__provider_find(uint64_t *out, const char *name,
                           pillion_executor preferred) {
  struct provider *found = NULL;
  pthread_mutex_lock(&providers_lock);
  for (struct provider *p = providers; p < providers + PROVIDERS; p++) {
    if (!provides(p, name) ||
        pillion__closing(&pillion__peek(&p->executor)->base) != 0)
      continue;
    bool best = preferred != 0 &&
                pillion__handle(PILLION__EXECUTOR,
                                pillion__peek(&p->executor)->base.index,
                                (uint32_t)p->executor_gen) == preferred;
    if (best || found == NULL || p->serial < found->serial) found = p;
    if (best) break;
  }
  if (found != NULL)
    *out = pillion__handle(PILLION__PROVIDER, (uint32_t)(found - providers),
                           atomic_load(&found->gen));
  pthread_mutex_unlock(&providers_lock);
  return found == NULL ? PILLION_ENOTFOUND : 0;
}

int pillion__provider_descriptor(char *out, size_t cap, uint64_t provider) {
  uint32_t link;
  if (provider_use(&link, provider) < 0) return PILLION_ENOTFOUND;
  size_t length = strlen(provider_at(link)->descriptor);
  if (length < cap) memcpy(out, provider_at(link)->descriptor, length + 1);
  pillion__provider_unuse(link);
  return (int)length;
}
