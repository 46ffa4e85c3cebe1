/* Small integer work of the kinds that embedded benchmarks combine: a linked list that is searched, sorted and
   reversed, matrices of 16-bit numbers, a state machine that classifies numbers, and a CRC over every result. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 64, SIDE = 16, CHARACTERS = 512, ROUNDS = 24000 };

static uint16_t crc16(uint16_t crc, uint16_t value) {
    for (int bit = 0; bit < 16; bit++) {
        uint16_t low = (crc ^ value) & 1;
        crc >>= 1;
        value >>= 1;
        if (low)
            crc ^= 0xa001;
    }
    return crc;
}

struct item {
    struct item *next;
    int16_t value, index;
};

typedef int (*order)(const struct item *, const struct item *);

static int by_value(const struct item *a, const struct item *b) {
    return a->value - b->value;
}

static int by_index(const struct item *a, const struct item *b) {
    return a->index - b->index;
}

static struct item *merge(struct item *a, struct item *b, order order) {
    struct item *head = NULL, **tail = &head;
    while (a && b) {
        struct item **least = order(a, b) <= 0 ? &a : &b;
        *tail = *least;
        tail = &(*tail)->next;
        *least = *tail;
    }
    *tail = a ? a : b;
    return head;
}

static struct item *sort(struct item *list, order order) {
    if (!list || !list->next)
        return list;
    struct item *slow = list, *fast = list->next;
    while (fast && fast->next) {
        slow = slow->next;
        fast = fast->next->next;
    }
    struct item *rest = slow->next;
    slow->next = NULL;
    return merge(sort(list, order), sort(rest, order), order);
}

static struct item *reverse(struct item *list) {
    struct item *done = NULL;
    while (list) {
        struct item *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static const struct item *find(const struct item *list, int16_t value) {
    while (list && list->value != value)
        list = list->next;
    return list;
}

static uint16_t list_work(struct item *items, uint16_t seed, uint16_t crc) {
    for (int i = 0; i < ITEMS; i++) {
        seed = (uint16_t)(seed * 25173 + 13849);
        items[i] = (struct item){i + 1 < ITEMS ? &items[i + 1] : NULL, (int16_t)(seed & 0x7ff), (int16_t)i};
    }
    struct item *list = sort(items, by_value);
    for (int16_t wanted = 0; wanted < 32; wanted++) {
        const struct item *found = find(list, (int16_t)(wanted * 61));
        crc = crc16(crc, found ? (uint16_t)found->index : 0xffff);
        list = reverse(list);
    }
    list = sort(list, by_index);
    for (const struct item *at = list; at; at = at->next)
        crc = crc16(crc, (uint16_t)at->value);
    return crc;
}

static uint16_t matrix_work(uint16_t seed, uint16_t crc) {
    static int16_t a[SIDE][SIDE], b[SIDE][SIDE];
    static int32_t product[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            seed = (uint16_t)(seed * 25173 + 13849);
            a[i][j] = (int16_t)(seed & 0xff);
            b[i][j] = (int16_t)(seed >> 8);
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += a[i][k] * b[k][j];
            product[i][j] = sum;
        }
    for (int i = 0; i < SIDE; i++) {
        int32_t sum = 0;
        for (int j = 0; j < SIDE; j++) {
            int32_t value = product[i][j];
            sum += ((value >> 2) & 15) * ((value >> 5) & 127);
        }
        crc = crc16(crc, (uint16_t)sum);
    }
    return crc;
}

enum state { START, SIGN, INTEGER, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, INVALID, STATES };

static enum state step(enum state state, char c) {
    int digit = c >= '0' && c <= '9';
    switch (state) {
    case START:
        return digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : INVALID;
    case SIGN:
        return digit ? INTEGER : c == '.' ? FRACTION : INVALID;
    case INTEGER:
        return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case FRACTION:
        return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT:
        return digit ? POWER : c == '+' || c == '-' ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN:
    case POWER:
        return digit ? POWER : INVALID;
    default:
        return INVALID;
    }
}

static uint16_t state_work(uint16_t seed, uint16_t crc) {
    static const char *const NUMBERS[] = {"5012", "1234.500", "-110.700", "+0.64400", "5.500e+3", "-.123e-2", "T0.3e-1F", "1T3.4e4z"};
    static char text[CHARACTERS];
    int length = 0;
    while (length + 10 < CHARACTERS) {
        seed = (uint16_t)(seed * 25173 + 13849);
        for (const char *c = NUMBERS[(seed >> 5) & 7]; *c; c++)
            text[length++] = *c;
        text[length++] = ',';
    }
    unsigned finals[STATES] = {0};
    enum state state = START;
    for (int i = 0; i < length; i++) {
        if (text[i] == ',') {
            finals[state]++;
            state = START;
        } else {
            state = step(state, text[i]);
        }
    }
    for (int i = 0; i < STATES; i++)
        crc = crc16(crc, (uint16_t)finals[i]);
    return crc;
}

int main(void) {
    static struct item items[ITEMS];
    uint16_t crc = 0;
    for (int round = 0; round < ROUNDS; round++) {
        crc = list_work(items, crc, crc);
        crc = matrix_work(crc, crc);
        crc = state_work(crc, crc);
    }
    printf("crc %04x\n", crc);
    return 0;
}
