/* Deterministic input that looks like text: words of a small vocabulary, numbers and punctuation. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

static uint32_t text_state;

static uint32_t text_random(void) {
    text_state ^= text_state << 13;
    text_state ^= text_state >> 17;
    text_state ^= text_state << 5;
    return text_state;
}

/* Words come from a vocabulary in which low numbers are more frequent, as in language. */
static size_t text_word(char *at, uint32_t word) {
    size_t length = 2 + word % 7;
    uint32_t letters = (word + 1) * 2654435761u;
    for (size_t i = 0; i < length; i++) {
        at[i] = (char)('a' + letters % 26);
        letters = letters / 26 + (letters << 27);
    }
    return length;
}

static void text_fill(char *text, size_t length, uint32_t seed) {
    text_state = seed | 1;
    size_t at = 0;
    while (at + 16 < length) {
        uint32_t kind = text_random() % 64;
        if (kind == 0) {
            text[at++] = '\n';
        } else if (kind < 5) {
            for (uint32_t digits = 1 + text_random() % 6; digits > 0; digits--)
                text[at++] = (char)('0' + text_random() % 10);
            text[at++] = kind == 1 ? '@' : kind == 2 ? '.' : ' ';
        } else {
            uint32_t range = 1 + text_random() % 4096;
            at += text_word(text + at, text_random() % range);
            text[at++] = kind < 8 ? ',' : kind == 8 ? '.' : ' ';
        }
    }
    while (at < length)
        text[at++] = '\n';
}

static uint32_t text_digest(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint32_t digest = 2166136261u;
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ at[i]) * 16777619u;
    return digest;
}

#endif
