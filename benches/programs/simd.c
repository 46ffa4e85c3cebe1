/* Kernels on 128-bit vectors, in the vector notation that gcc and clang share: a blend of pictures, a fractal
   and a sum of products. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));

enum { PIXELS = 1 << 16, SIDE = 256, ITERATIONS = 64 };

/* (a * alpha + b * (256 - alpha)) / 256 for each 16-bit channel. */
static void blend(u16x8 *to, const u16x8 *a, const u16x8 *b, uint16_t alpha) {
    u16x8 weight = {alpha, alpha, alpha, alpha, alpha, alpha, alpha, alpha};
    u16x8 rest = 256 - weight;
    for (int i = 0; i < PIXELS / 8; i++)
        to[i] = (a[i] * weight + b[i] * rest) >> 8;
}

static uint32_t mandelbrot(float scale) {
    uint32_t inside = 0;
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column += 4) {
            f32x4 offset = {0, 1, 2, 3};
            f32x4 cx = (offset + (float)column) * (3.0f * scale / SIDE) - 2.0f;
            f32x4 cy = (f32x4){0, 0, 0, 0} + ((float)row * (2.0f * scale / SIDE) - 1.0f);
            f32x4 x = cx, y = cy;
            i32x4 count = {0, 0, 0, 0};
            for (int i = 0; i < ITERATIONS; i++) {
                f32x4 xx = x * x, yy = y * y;
                i32x4 bounded = xx + yy < 4.0f;
                count -= bounded;
                if (!(bounded[0] | bounded[1] | bounded[2] | bounded[3]))
                    break;
                y = 2.0f * x * y + cy;
                x = xx - yy + cx;
            }
            inside += (uint32_t)(count[0] + count[1] + count[2] + count[3]);
        }
    return inside;
}

static float dot(const f32x4 *a, const f32x4 *b, int length) {
    f32x4 sum = {0, 0, 0, 0};
    for (int i = 0; i < length; i++)
        sum += a[i] * b[i];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

int main(void) {
    static u16x8 a[PIXELS / 8], b[PIXELS / 8], blended[PIXELS / 8];
    static f32x4 left[PIXELS / 4], right[PIXELS / 4];
    for (int i = 0; i < PIXELS; i++) {
        a[i / 8][i % 8] = (uint16_t)(i * 7 & 0xff);
        b[i / 8][i % 8] = (uint16_t)(i * 13 & 0xff);
        left[i / 4][i % 4] = (float)(i % 17);
        right[i / 4][i % 4] = (float)(i % 23) / 16;
    }
    uint32_t digest = 0;
    float sum = 0;
    for (int round = 0; round < 8000; round++) {
        blend(blended, a, b, (uint16_t)(round % 257));
        digest = digest * 31 + blended[round % (PIXELS / 8)][round % 8];
        sum += dot(left, right, PIXELS / 4 / 4);
    }
    for (int round = 0; round < 96; round++)
        digest = digest * 31 + mandelbrot(1.0f - (float)round / 256);
    printf("digest %08x, sum %.1f\n", digest, (double)sum);
    return 0;
}
