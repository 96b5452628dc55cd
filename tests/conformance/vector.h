/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_VECTOR_H
#define PILLION_TESTS_VECTOR_H

/*
 * Reading vectors: lines of words, in which x3..x5 stands for x3 x4 x5. And
 * writing traces, which are words with one blank between them.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 4096

struct words {
  char *word[MAX_WORDS + 1]; /* NULL after the last */
  int count;
};

struct text {
  char bytes[65536];
  size_t length;
};

static inline void text_clear(struct text *text) {
  text->length = 0;
  text->bytes[0] = 0;
}

__attribute__((format(printf, 2, 3))) static inline void text_add(
    struct text *text, const char *format, ...) {
  size_t room = sizeof text->bytes - text->length;
  va_list args;
  if (text->length > 0 && room > 1) {
    text->bytes[text->length++] = ' ';
    room--;
  }
  va_start(args, format);
  int n = vsnprintf(text->bytes + text->length, room, format, args);
  va_end(args);
  text->length += n < (int)room ? (size_t)n : room - 1;
}

static inline void words_add(struct words *words, const char *word) {
  if (words->count == MAX_WORDS) {
    fprintf(stderr, "a line has more than %d words\n", MAX_WORDS);
    exit(2);
  }
  words->word[words->count++] = strdup(word);
  words->word[words->count] = NULL;
}

static inline void words_free(struct words *words) {
  for (int i = 0; i < words->count; i++) free(words->word[i]);
  words->count = 0;
}

/* x3..x5 becomes x3 x4 x5. */
static inline void words_expand(struct words *words, const char *word) {
  char name[64];
  int from, to, skip = 0;
  if (sscanf(word, "%63[^0-9.]%d..%n", name, &from, &skip) != 2 || skip == 0 ||
      sscanf(word + skip, "%*[^0-9]%d", &to) != 1) {
    words_add(words, word);
    return;
  }
  for (int i = from; i <= to; i++) {
    char one[96];
    snprintf(one, sizeof one, "%s%d", name, i);
    words_add(words, one);
  }
}

/* Comments and empty lines have no words. */
static inline void words_read(struct words *words, char *line) {
  words->count = 0;
  words->word[0] = NULL;
  for (char *w = strtok(line, " \t\r\n"); w != NULL && w[0] != '#';
       w = strtok(NULL, " \t\r\n"))
    words_expand(words, w);
}

static inline int words_find(const struct words *words, const char *word) {
  for (int i = 0; i < words->count; i++)
    if (strcmp(words->word[i], word) == 0) return i;
  return -1;
}

/* The words from `at` on. */
static inline void words_join(struct text *out, const struct words *words,
                              int at) {
  text_clear(out);
  for (int i = at; i < words->count; i++) text_add(out, "%s", words->word[i]);
}

/* Takes the word out wherever it stands. */
static inline int text_remove(struct text *text, const char *word) {
  size_t n = strlen(word);
  for (char *at = text->bytes; (at = strstr(at, word)) != NULL; at++) {
    char after = at[n];
    if ((after != ' ' && after != 0) || at == text->bytes || at[-1] != ' ')
      continue;
    memmove(at - 1, at + n, strlen(at + n) + 1);
    text->length = strlen(text->bytes);
    return 1;
  }
  return 0;
}

static inline int64_t number_of(const char *word) {
  char *end;
  if (word == NULL || *word == 0) exit(2);
  if (strcmp(word, "never") == 0) return INT64_MAX;
  long long number = strtoll(word, &end, 10);
  if (*end != 0) {
    fprintf(stderr, "%s is no number\n", word);
    exit(2);
  }
  return number;
}

#endif
