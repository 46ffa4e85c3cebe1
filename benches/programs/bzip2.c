/* Compresses and restores text with bzip2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bzlib.h"
#include "text.h"

enum { LENGTH = 2 << 20 };

void bz_internal_error(int code) {
    fprintf(stderr, "bzip2 failed: %d\n", code);
    exit(1);
}

int main(void) {
    unsigned packed_length = LENGTH + LENGTH / 100 + 600, restored_length = LENGTH;
    char *text = malloc(LENGTH), *packed = malloc(packed_length), *restored = malloc(LENGTH);
    text_fill(text, LENGTH, 1);
    if (BZ2_bzBuffToBuffCompress(packed, &packed_length, text, LENGTH, 9, 0, 0) != BZ_OK)
        return 1;
    if (BZ2_bzBuffToBuffDecompress(restored, &restored_length, packed, packed_length, 0, 0) != BZ_OK)
        return 1;
    if (restored_length != LENGTH || memcmp(text, restored, LENGTH) != 0)
        return 1;
    printf("%u bytes, digest %08x\n", packed_length, text_digest(packed, packed_length));
    return 0;
}
