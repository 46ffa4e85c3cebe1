// A tree of expressions that is built, evaluated, differentiated and simplified through virtual calls.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

struct Expression {
    virtual ~Expression() = default;
    virtual int64_t value(int64_t x) const = 0;
    virtual std::unique_ptr<Expression> derivative() const = 0;
    virtual std::unique_ptr<Expression> simplified() const = 0;
    virtual bool is(int64_t) const { return false; }
    virtual unsigned size() const { return 1; }
};

using Node = std::unique_ptr<Expression>;

struct Constant final : Expression {
    int64_t number;
    explicit Constant(int64_t number) : number(number) {}
    int64_t value(int64_t) const override { return number; }
    Node derivative() const override { return Node(new Constant(0)); }
    Node simplified() const override { return Node(new Constant(number)); }
    bool is(int64_t other) const override { return number == other; }
};

struct Variable final : Expression {
    int64_t value(int64_t x) const override { return x; }
    Node derivative() const override { return Node(new Constant(1)); }
    Node simplified() const override { return Node(new Variable); }
};

struct Pair : Expression {
    Node left, right;
    Pair(Node left, Node right) : left(std::move(left)), right(std::move(right)) {}
    unsigned size() const override { return 1 + left->size() + right->size(); }
};

struct Sum final : Pair {
    using Pair::Pair;
    int64_t value(int64_t x) const override { return int64_t(uint64_t(left->value(x)) + uint64_t(right->value(x))); }
    Node derivative() const override { return Node(new Sum(left->derivative(), right->derivative())); }
    Node simplified() const override {
        Node a = left->simplified(), b = right->simplified();
        if (a->is(0))
            return b;
        if (b->is(0))
            return a;
        return Node(new Sum(std::move(a), std::move(b)));
    }
};

struct Product final : Pair {
    using Pair::Pair;
    int64_t value(int64_t x) const override { return int64_t(uint64_t(left->value(x)) * uint64_t(right->value(x))); }
    Node derivative() const override {
        Node a(new Product(left->derivative(), right->simplified()));
        return Node(new Sum(std::move(a), Node(new Product(left->simplified(), right->derivative()))));
    }
    Node simplified() const override {
        Node a = left->simplified(), b = right->simplified();
        if (a->is(0) || b->is(0))
            return Node(new Constant(0));
        if (a->is(1))
            return b;
        if (b->is(1))
            return a;
        return Node(new Product(std::move(a), std::move(b)));
    }
};

static uint32_t state = 12345;

static uint32_t random_number() {
    state = state * 1664525 + 1013904223;
    return state >> 8;
}

static Node grow(int depth) {
    if (depth == 0)
        return random_number() % 2 ? Node(new Variable) : Node(new Constant(random_number() % 10));
    Node a = grow(depth - 1), b = grow(depth - 1);
    if (random_number() % 3)
        return Node(new Sum(std::move(a), std::move(b)));
    return Node(new Product(std::move(a), std::move(b)));
}

int main() {
    std::vector<Node> forest;
    for (int tree = 0; tree < 24; tree++)
        forest.push_back(grow(8));
    uint64_t digest = 0;
    for (const Node &tree : forest) {
        Node slope = tree->derivative()->simplified();
        digest = digest * 31 + slope->size();
        for (int64_t x = 0; x < 1000; x++)
            digest = digest * 31 + uint64_t(tree->value(x)) + uint64_t(slope->value(x));
    }
    std::printf("digest %016llx\n", static_cast<unsigned long long>(digest));
}
