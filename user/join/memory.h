/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for what files say, of which no size is known before. Where it is short the program ends with a message:
 * before the kernel would kill it, and before anything is joined, since nothing could be said of all.
 */
#ifndef TCPFIN_MEMORY_H
#define TCPFIN_MEMORY_H

#include <stddef.h>

/* Memory for an array. */
void *memory_array(size_t count, size_t size);
/* The array, with room for more than `count` elements. room: of how many it has, 0 for NULL. */
void *memory_grown(void *array, size_t count, size_t *room, size_t size);
char *memory_copy(const char *text);
/* The element of a tree that equals the key; NULL without one. */
void *tree_find(void *const *tree, const void *key, int (*compare)(const void *, const void *));
/* Adds an element that equals none yet. Hostile files cannot make a tree slow, as they could a table by hash. */
void tree_add(void **tree, void *element, int (*compare)(const void *, const void *));
/* Frees the tree with its elements, each of which is memory alone. */
void tree_free(void *tree);

#endif
