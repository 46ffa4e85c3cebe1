/* Loop nests over double-precision arrays, as numerical codes have them: kernels NAME runs one of them. */
#include <stdio.h>
#include <string.h>

enum { N = 256 };

static double a[N][N], b[N][N], c[N][N];

static void fill(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)((i * j + 1) % N) / N;
            b[i][j] = (double)((i * (j + 2)) % N) / N;
            c[i][j] = (double)((i + 3 * j) % N) / N;
        }
}

/* C = 0.5 C + 1.5 A B */
static void gemm(void) {
    for (int round = 0; round < 60; round++)
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++)
                c[i][j] *= 0.5;
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++)
                    c[i][j] += 1.5 * a[i][k] * b[k][j];
        }
}

/* Five-point stencil, from one array to the other. */
static void jacobi(void) {
    for (int round = 0; round < 4000; round++) {
        double(*from)[N] = round % 2 ? b : a, (*to)[N] = round % 2 ? a : b;
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i - 1][j] + from[i + 1][j]);
    }
}

/* Nine-point stencil in place: each result needs the one before. */
static void seidel(void) {
    for (int round = 0; round < 240; round++)
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] + a[i][j] + a[i][j + 1] +
                           a[i + 1][j - 1] + a[i + 1][j] + a[i + 1][j + 1]) /
                          9.0;
}

/* All shortest paths. */
static void floyd_warshall(void) {
    static int path[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            path[i][j] = (i + j) % 13 == 0 || (i + j) % 7 == 0 ? 999 : i * j % 7 + 1;
    for (int round = 0; round < 24; round++)
        for (int k = 0; k < N; k++)
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++)
                    path[i][j] = path[i][j] < path[i][k] + path[k][j] ? path[i][j] : path[i][k] + path[k][j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            c[i][j] = path[i][j];
}

/* A = L U in place; the diagonal is made heavy first, so that it needs no pivots. */
static void lu(void) {
    for (int round = 0; round < 20; round++) {
        fill();
        for (int i = 0; i < N; i++)
            a[i][i] += N;
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < i; j++) {
                for (int k = 0; k < j; k++)
                    a[i][j] -= a[i][k] * a[k][j];
                a[i][j] /= a[j][j];
            }
            for (int j = i; j < N; j++)
                for (int k = 0; k < i; k++)
                    a[i][j] -= a[i][k] * a[k][j];
        }
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} KERNELS[] = {{"gemm", gemm}, {"jacobi", jacobi}, {"seidel", seidel}, {"floyd-warshall", floyd_warshall}, {"lu", lu}};

int main(int count, char **arguments) {
    for (size_t i = 0; count == 2 && i < sizeof KERNELS / sizeof *KERNELS; i++) {
        if (strcmp(arguments[1], KERNELS[i].name) != 0)
            continue;
        fill();
        KERNELS[i].run();
        double sum = 0;
        for (int row = 0; row < N; row++)
            for (int column = 0; column < N; column++)
                sum += a[row][column] + b[row][column] + c[row][column];
        printf("%s: %.6e\n", KERNELS[i].name, sum);
        return 0;
    }
    fprintf(stderr, "usage: kernels NAME\n");
    return 2;
}
