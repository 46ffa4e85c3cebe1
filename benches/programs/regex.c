/* Searches text with PCRE2's interpreter: literals, classes, captures, back references, alternatives. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcre2.h"
#include "text.h"

enum { LENGTH = 1 << 20 };

static const char *const PATTERNS[] = {
    "[0-9]+@[a-z]+",
    "\\b([a-z])[a-z]*\\1\\b",
    "(?:ab|cd|ef|gh)[a-z]{2,4}\\s+\\d+",
    "^[^,\\n]*,([^,\\n]*),[^\\n]*$",
    "(\\w+)\\s+\\1\\b",
    "(?i)[aeiou]{3,}",
};

int main(void) {
    char *text = malloc(LENGTH);
    text_fill(text, LENGTH, 1);
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++) {
        int error;
        PCRE2_SIZE error_at, at = 0;
        PCRE2_SPTR pattern = (PCRE2_SPTR)PATTERNS[i];
        pcre2_code *code = pcre2_compile(pattern, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &error, &error_at, NULL);
        if (code == NULL)
            return 1;
        pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
        PCRE2_SIZE *ends = pcre2_get_ovector_pointer(match);
        unsigned found = 0;
        uint32_t digest = 0;
        while (at < LENGTH && pcre2_match(code, (PCRE2_SPTR)text, LENGTH, at, 0, match, NULL) > 0) {
            found++;
            digest = digest * 31 + (uint32_t)ends[0];
            at = ends[1] > ends[0] ? ends[1] : ends[1] + 1;
        }
        printf("%s: %u, digest %08x\n", PATTERNS[i], found, digest);
        pcre2_match_data_free(match);
        pcre2_code_free(code);
    }
    return 0;
}
