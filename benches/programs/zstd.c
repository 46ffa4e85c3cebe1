/* Compresses and restores text with zstd, at a fast and at a thorough level. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "zstd.h"

enum { LENGTH = 2 << 20 };

int main(void) {
    char *text = malloc(LENGTH), *restored = malloc(LENGTH);
    size_t bound = ZSTD_compressBound(LENGTH);
    char *packed = malloc(bound);
    text_fill(text, LENGTH, 1);
    static const int levels[] = {1, 3, 9};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        size_t size = ZSTD_compress(packed, bound, text, LENGTH, levels[i]);
        for (int round = 0; round < 8; round++)
            if (ZSTD_isError(size) || ZSTD_decompress(restored, LENGTH, packed, size) != LENGTH)
                return 1;
        if (memcmp(text, restored, LENGTH) != 0)
            return 1;
        printf("level %d: %zu bytes, digest %08x\n", levels[i], size, text_digest(packed, size));
    }
    return 0;
}
